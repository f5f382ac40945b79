#!/usr/bin/env python3
"""Runs the commands from a release to an explained network on excerpts of real images, and checks what they answer.

    data prepare (Osteosarcoma originals; Kather's TIFF) - data check - train (a cell, a peer, several labels) - evaluate at
    two sizes, every measure computed again here from its predictions - predict of an official checkpoint against the
    logits of the original code - count against the paper's Table 7 - explain - export

The images are those of the shared folder (--shared, or PROBEDARTS_SHARED). Without it the test is skipped (exit code 77);
with PROBEDARTS_REQUIRE_SHARED set that is a failure. A few dozen are copied to a temporary folder.
"""
import argparse
import collections
import concurrent.futures
import csv
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

SKIPPED = 77
SMALL = ["--size", "32", "--batch", "8", "--threads", "1", "--seed", "1", "--lr", "0.05"]

# Wan et al., "Probeable DARTS", Table 7: parameters in millions for 33 (ADP) and 3 (Osteosarcoma) classes, MACs in 1e9.
TABLE_7 = {
    "resnet18": (11.19, 11.18, 2.76), "senet18": (11.28, 11.27, 2.76), "mobilenet_v2": (2.27, 2.23, 0.48),
    "mobilenet_v2_035": (0.44, 0.40, 0.10), "mobilenet_v3_large": (4.24, 4.21, 0.34), "mobilenet_v3_small": (1.55, 1.52, 0.09),
    "shufflenet_v2_x1_0": (1.29, 1.26, 0.23), "mnasnet_a1": (2.65, 2.61, 0.50), "mnasnet_small": (0.79, 0.75, 0.11),
    "darts_4cell": (0.49, 0.48, 0.38), "DARTS_ADP_N4": (0.38, 0.36, 0.30), "DARTS_ADP_N3": (0.31, 0.30, 0.27),
    "DARTS_ADP_N2": (0.24, 0.23, 0.21)}


class Place:
    def __init__(self, program, shared, folder):
        self.program, self.shared, self.folder = program, shared, folder
        self.environment = dict(os.environ, XDG_CACHE_HOME=str(folder / "cache"), OMP_NUM_THREADS="1")

    def run(self, *words):
        done = subprocess.run([self.program, *map(str, words)], cwd=self.folder, env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert done.returncode == 0, f"{' '.join(map(str, words))}: exit {done.returncode}: {done.stderr}"
        return done

    def json(self, *words):
        return json.loads(self.run(*words, "--json").stdout)


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def excerpt(place, source, name, wanted, key):
    """Copies the first wanted[split] images of each key in each split, and their rows of labels.csv."""
    taken = collections.Counter()
    rows = []
    for row in rows_of(source / "labels.csv"):
        if taken[row["split"], key(row)] < wanted[row["split"]]:
            taken[row["split"], key(row)] += 1
            rows.append(row)
            (place.folder / name / row["file"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / row["file"], place.folder / name / row["file"])
    write_rows(place.folder / name / "labels.csv", rows)
    return rows


def prepare_osteosarcoma(place):
    source = place.shared / "data/osteo3_tiles"
    (place.folder / "release").mkdir()
    first = {}
    for row in rows_of(source / "originals.csv"):
        first.setdefault((row["split"], row["label"]), row)
    assert len(first) == 9, "three classes in three splits"
    for row in first.values():
        row["file"] = shutil.copyfile(source / row["file"], place.folder / "release" / pathlib.Path(row["file"]).name).name
    write_rows(place.folder / "release/sheet.csv", list(first.values()))
    report = place.json("data", "prepare", "release", "--release", "osteosarcoma", "--sheet", "release/sheet.csv",
                        "--group-column", "block", "--downsample", "4", "--tile", "64", "--min-tissue", "0", "--out", "osteo")
    for split in ("train", "valid", "test"):  # 1024 px / 4 / 64 = 4 tiles a side
        assert report["splits"][split]["tiles"] == 3 * 16, report
    assert report["classes"] == ["necrotic_tumor", "non_tumor", "viable_tumor"], report
    check_tiles(place, "osteo", 9 * 16)


def prepare_tiff(place):
    (place.folder / "kather").mkdir()
    for folder in sorted((place.shared / "data/kather24_fixture").iterdir()):
        if folder.is_dir():
            shutil.copytree(folder, place.folder / "kather" / folder.name)
    report = place.json("data", "prepare", "kather", "--tile", "75", "--min-tissue", "0", "--test-share", "0.3",
                        "--valid-share", "0.3", "--out", "tiff")
    assert sum(split["tiles"] for split in report["splits"].values()) == 24 * 4, report  # 150 px: two tiles a side
    check_tiles(place, "tiff", 24 * 4)


def check_tiles(place, name, count):
    place.run("data", "check", name)
    rows = rows_of(place.folder / name / "labels.csv")
    assert len(rows) == count, f"{name}: {len(rows)} tiles"
    assert all((place.folder / name / row["file"]).is_file() for row in rows), f"{name}: a tile is missing"


def auc(scores, truth):
    """Share of (positive, negative) pairs in the right order; ties count half. None without such a pair."""
    positive = [s for s, t in zip(scores, truth) if t]
    negative = [s for s, t in zip(scores, truth) if not t]
    if not positive or not negative:
        return None
    return sum((p > n) + 0.5 * (p == n) for p in positive for n in negative) / (len(positive) * len(negative))


def mean_of_defined(values):
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def ratio(part, whole):
    return part / whole if whole else None


def float32(value):
    return struct.unpack("<f", struct.pack("<f", float(value)))[0]


def calibration_error(decisions):
    gaps = [0.0] * 15
    for confidence, right in decisions:
        gaps[max(math.ceil(confidence * 15), 1) - 1] += right - confidence
    return sum(map(abs, gaps)) / len(decisions)


def columns(rows, what):
    names = [name[len(what) + 1:] for name in rows[0] if name.startswith(what + " ")]
    return names, [[float32(row[f"{what} {name}"]) for name in names] for row in rows]


def single_measures(rows):
    names, scores = columns(rows, "probability")
    truth = [names.index(row["truth"]) for row in rows]
    said = [row.index(max(row)) for row in scores]
    confusion = [[sum(t == a and s == b for t, s in zip(truth, said)) for b in range(len(names))] for a in range(len(names))]
    classes = []
    for c in range(len(names)):
        hits, predicted, present = confusion[c][c], said.count(c), truth.count(c)
        classes.append({"precision": ratio(hits, predicted), "recall": ratio(hits, present),
                        "f1": ratio(2 * hits, predicted + present),
                        "auc": auc([row[c] for row in scores], [t == c for t in truth])})
    return {"accuracy": sum(t == s for t, s in zip(truth, said)) / len(rows),
            "top5": 1.0,  # of three classes
            "f1_macro": mean_of_defined([of_class["f1"] for of_class in classes]),
            "auc_macro": mean_of_defined([of_class["auc"] for of_class in classes]),
            "ece": calibration_error([(row[s], t == s) for row, t, s in zip(scores, truth, said)])}, confusion, classes


def multi_measures(rows):
    names, scores = columns(rows, "probability")
    truth = [[name in row["truth"].split(";") for name in names] for row in rows]
    said = [[p > 0.5 for p in row] for row in scores]
    jaccard = []
    for t, s in zip(truth, said):
        either = sum(a or b for a, b in zip(t, s))
        jaccard.append(sum(a and b for a, b in zip(t, s)) / either if either else 1.0)
    pairs = [(t == s, p) for row in zip(truth, said, scores) for t, s, p in zip(*row)]
    return {"accuracy": sum(right for right, _ in pairs) / len(pairs),
            "jaccard": sum(jaccard) / len(rows),
            "auc_macro": mean_of_defined([auc([row[c] for row in scores], [row[c] for row in truth])
                                          for c in range(len(names))]),
            "ece": calibration_error([(max(p, float32(1.0 - p)), right) for right, p in pairs])}


def at_threshold(scores, truth, threshold):
    """What a class, or all of them together, is worth at its threshold."""
    said = [score >= limit for score, limit in zip(scores, threshold)]
    tp = sum(s and t for s, t in zip(said, truth))
    fp = sum(s and not t for s, t in zip(said, truth))
    positives, negatives = sum(truth), len(truth) - sum(truth)
    return {"tpr": ratio(tp, positives), "fpr": ratio(fp, negatives), "tnr": ratio(negatives - fp, negatives),
            "fnr": ratio(positives - tp, positives), "accuracy": (tp + negatives - fp) / len(truth),
            "f1": ratio(2 * tp, tp + fp + positives), "positives": positives}


def check_thresholds(evaluation, rows, where):
    """The report of each class and of all together, at the thresholds that it names."""
    names, scores = columns(rows, "probability")
    everything = ([], [], [])
    for c, found in enumerate(evaluation["classes"]):
        of_class = [row[c] for row in scores]
        truth = [names[c] in row["truth"].split(";") for row in rows]
        limits = [found["threshold"]] * len(rows)
        assert 1 / 3 <= found["threshold"] <= 1, f"{where}: threshold of {names[c]}"
        for key, value in at_threshold(of_class, truth, limits).items():
            close(found[key], value, f"{where}: {key} of {names[c]}")
        close(found["auc"], auc(of_class, truth), f"{where}: auc of {names[c]}")
        for total, part in zip(everything, (of_class, truth, limits)):
            total.extend(part)
        assert set(found["intervals"]) == {"tpr", "fpr", "tnr", "fnr", "accuracy", "f1", "auc"}, f"{where}: {found['intervals']}"
    for key, value in at_threshold(*everything).items():
        close(evaluation["together"][key], value, f"{where}: {key} of all")


def close(found, expected, what, tolerance=1e-9):
    if expected is None:
        assert found is None, f"{what}: {found}, expected none"
    else:
        assert found is not None and abs(found - expected) <= tolerance, f"{what}: {found}, expected {expected}"


def evaluate(place, run, rows, group, sizes, *flags):
    """`evaluate` at two sizes, its measures computed again from what it says of each image. Its answer is returned."""
    answer = place.json("evaluate", "--bootstrap", "20", "--predictions", "predictions.csv", "--size", *sizes, *flags, run)
    said = rows_of(place.folder / "predictions.csv")
    test = [row for row in rows if row["split"] == "test"]
    for evaluation, size in zip(answer["evaluations"], sizes):
        mine = [row for row in said if row["size"] == size]
        assert len(mine) == len(test) == evaluation["images"], f"{run}: images"
        of_file = {row["file"]: row for row in test}
        assert all(row["group"] == of_file[row["image"]][group] for row in mine), f"{run}: names of groups"
        assert evaluation["groups"] == len({row[group] for row in test}), f"{run}: number of groups"
        where = f"{run} at {size} px"
        if answer["labels"] == "single":
            measures, confusion, classes = single_measures(mine)
            for found, expected in zip(evaluation["classes"], classes):
                for key, value in expected.items():
                    close(found[key], value, f"{where}: {key} of {found['class']}")
            assert evaluation["confusion"] == confusion, f"{where}: {evaluation['confusion']}, expected {confusion}"
            assert all(row["truth"] == of_file[row["image"]]["label"] for row in mine), f"{where}: truth"
        else:
            measures = multi_measures(mine)
            check_thresholds(evaluation, mine, where)
        for key, value in measures.items():
            found = evaluation["measures"][key]
            close(found["value"], value, f"{where}: {key}")
            if found["value"] is not None and key != "ece":  # the interval of the ece leans upwards
                assert found["low"] - 1e-12 <= found["high"], f"{where}: interval of {key}"
    return answer


def thresholds_of(answer):
    return [found["threshold"] for found in answer["evaluations"][0]["classes"]]


def train_and_evaluate(place):
    osteo = excerpt(place, place.shared / "data/osteo3_tiles", "osteo3", {"train": 2, "valid": 2, "test": 2},
                    lambda row: (row["label"], row["block"]))
    cells = ["--genotype", "DARTS_ADP_N2", "--cells", "3", "--channels", "4"]
    place.run("train", "--data", "osteo3", "--group-column", "block", *cells, "--epochs", "2", "--out", "cell", *SMALL)
    evaluate(place, "cell", osteo, "block", ["32", "68"])
    place.run("train", "--data", "osteo3", "--group-column", "block", "--network", "mobilenet_v3_small", "--epochs", "1",
              "--out", "peer", *SMALL)
    evaluate(place, "peer", osteo, "block", ["32", "68"])
    multi = excerpt(place, place.shared / "data/crchisto_multilabel_68px", "crchisto", {"train": 2, "valid": 1, "test": 2},
                    lambda row: tuple(row[name] for name in ("epithelial", "fibroblast", "inflammatory", "others")))
    place.run("train", "--data", "crchisto", "--group-column", "source_image", *cells, "--epochs", "1", "--out", "multi", *SMALL)
    evaluate(place, "multi", multi, "source_image", ["32", "48"])
    own = thresholds_of(place.json("evaluate", "--bootstrap", "0", "--split", "valid", "--size", "32", "multi"))
    taken = thresholds_of(evaluate(place, "multi", multi, "source_image", ["32"], "--threshold-from", "valid"))
    assert taken == own, f"thresholds from valid: {taken}, valid's own {own}"
    return [row["file"] for row in osteo if row["split"] == "test"]


def read_tensor(path, name):
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    entry = json.loads(content[8:8 + length])[name]
    assert entry["dtype"] == "F32", entry
    begin, end = (8 + length + offset for offset in entry["data_offsets"])
    return struct.unpack(f"<{(end - begin) // 4}f", content[begin:end])


def predict_official(place):
    golden = place.shared / "golden"
    facts = json.loads((golden / "01_pretrained/adp_n4.json").read_text(encoding="utf-8"))
    shutil.copyfile(golden / facts["checkpoint"], place.folder / "darts_adp_n4.pt")
    answer = place.json("predict", "--checkpoint", "darts_adp_n4.pt", "--network", "DARTS_ADP_N4", "--classes", "33",
                        "--normalize", "adp", *(golden / image for image in facts["images"]))
    found = [logit for image in answer["images"] for logit in image["logits"]]
    wanted = read_tensor(golden / "01_pretrained/adp_n4.safetensors", "logits_272")
    assert len(found) == len(wanted) == 4 * 33, "four images of 33 classes"
    for a, b in zip(found, wanted):  # float32 and float64 runs of the original differ by 2e-5; ten times that
        close(a, b, "logit of an official checkpoint", 2e-4)


def count_table_7(place):
    def check(name):
        adp, osteosarcoma, macs = TABLE_7[name]
        for classes, millions in ((33, adp), (3, osteosarcoma)):
            answer = place.json("count", "--network", name, "--classes", classes)
            assert f"{answer['parameters'] / 1e6:.2f}" == f"{millions:.2f}", f"{name}: {answer['parameters']} parameters"
            assert f"{answer['macs_paper'] / 1e9:.2f}" == f"{macs:.2f}", f"{name}: {answer['macs_paper']} MACs"
            assert answer["peak_map_bytes"] == max(layer["live_map_bytes"] for layer in answer["layers"]), name
            assert answer["weight_bytes"] == sum(layer["weight_bytes"] for layer in answer["layers"]), name
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(check, TABLE_7))


def explain_and_export(place, images):
    place.run("explain", "--run", "cell", "peer", "--data", "osteo3", "--target", "label,top", "--size", "68", "--out", "maps",
              *(f"osteo3/{image}" for image in images[:2]))
    for name in ("index.html", "explain.json"):
        assert (place.folder / "maps" / name).stat().st_size > 0, name
    assert len(list((place.folder / "maps").rglob("*.npy"))) >= 4, "a map of each image by each network"
    place.run("export", "--run", "cell", "--out", "cell.pt")
    image = f"osteo3/{images[0]}"
    answers = [place.json("predict", *model, image)["images"] for model in (["--run", "cell"], ["--checkpoint", "cell.pt"])]
    assert answers[0] == answers[1], "the exported weights answer otherwise"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", required=True)
    options.add_argument("--shared", required=True, type=pathlib.Path, help="where PROBEDARTS_SHARED is not set")
    arguments = options.parse_args()
    shared = pathlib.Path(os.environ.get("PROBEDARTS_SHARED", arguments.shared)).resolve()
    for needed in ("data/osteo3_tiles/originals.csv", "data/crchisto_multilabel_68px/labels.csv",
                   "data/kather24_fixture", "golden/01_pretrained/adp_n4.safetensors"):
        if not (shared / needed).exists():
            print(f"{shared / needed} is absent; set PROBEDARTS_SHARED to the folder of reference data")
            return 1 if "PROBEDARTS_REQUIRE_SHARED" in os.environ else SKIPPED
    with tempfile.TemporaryDirectory() as folder:
        place = Place(os.path.abspath(arguments.program), shared, pathlib.Path(folder))
        prepare_osteosarcoma(place)
        prepare_tiff(place)
        images = train_and_evaluate(place)
        predict_official(place)
        count_table_7(place)
        explain_and_export(place, images)
    print("prepared, trained, evaluated, predicted, counted, explained and exported as expected")
    return 0


if __name__ == "__main__":
    sys.exit(main())
