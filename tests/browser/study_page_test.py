#!/usr/bin/env python3
"""Opens the page of a study in headless Chromium: all figures, wide and narrow, light and dark.

    study_page_test.py --program BUILD/probedarts [--screenshots FOLDER]

The study has records of all phases, as `study run` leaves them, with invented numbers: nothing is trained.
Exit code 77 where Chromium or chromedriver is absent.
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import struct
import sys
import tempfile
import unittest
import zlib

import webdriver

HERE = pathlib.Path(__file__).resolve().parent
OPTIONS = argparse.Namespace(program=None, screenshots=None)
STUDY = """
name = "all phases of a study"
phases = ["search", "quick", "select", "final", "resolution", "explain"]
seeds = [1, 2]
[grid]
data = "data"
nodes = [3, 4]
optimizer = ["sgd", "adas"]
size = 64
[rows]
genotypes = ["DARTS_ADP_N3"]
networks = ["resnet18"]
[final]
runs = 2
[resolution]
sizes = [64, 128]
runs = 2
"""
GENES = {"genes": [["sep_conv_3x3", 0], ["skip_connect", 1]], "concat": [2]}
CELL = ("Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1)], normal_concat=[2], "
        "reduce=[('sep_conv_3x3', 0), ('skip_connect', 1)], reduce_concat=[2])")
NETWORK = {"name": "cells", "stem": "pathology", "channels": 16, "cells": 4, "classes": 3, "auxiliary": False,
           "genotype": {"normal": GENES, "reduce": GENES}}
MODEL = {"classes": ["a", "b", "c"], "labels": "single", "mean": [0.5, 0.5, 0.5], "sd": [0.2, 0.2, 0.2], "size": 64,
         "network": NETWORK}
FIGURES = ["figure-3-stable-rank", "figure-3-weights", "figure-4", "figure-5", "figure-7",
           *[f"figure-6-row{row}-{kind}" for row in range(1, 5) for kind in ("normal", "reduction")]]
JOINED = ["sgd: N=3, N=4", "adas: N=3, N=4", "DARTS_ADP_N3", "resnet18"]  # lines of figure 5
UNITS = ["103", "106", "106"]  # of the columns of sizes: 10^3, 10^6 as the text of a cell has them
CANVASES = ["f3-rank-0", "f3-weight-3", "figure-4-false-0", "figure-5-false-0", "figure-7-false-0"]
SEEN = "return document.querySelector(`#${arguments[0]} .scroll svg`).getBoundingClientRect().height > 50;"
OVERFLOW = """const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) return ["page " + document.documentElement.scrollWidth];
  return [...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, svg") &&
    e.getBoundingClientRect().right > width + 1).map((e) => e.tagName + "#" + e.id + "." + e.className);"""
TEXTS = "return [...document.getElementById(arguments[0]).querySelectorAll('svg text')].map((e) => e.textContent);"
# Light text on a dark page, or dark text on a light one: how bright text and page are, 0..255.
BRIGHTNESS = """const sum = (color) => color.match(/[\\d.]+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3;
  const text = document.querySelector('#figure-4 figcaption');
  return [sum(getComputedStyle(text).color), sum(getComputedStyle(document.body).backgroundColor)];"""
# Of a canvas: labels of the lines that it shows, how many there are, and the colour of the first.
LINES = """const chart = Chart.getChart(document.getElementById(arguments[0]));
  const shown = chart.data.datasets.filter((_, i) => chart.isDatasetVisible(i));
  return [shown.map((d) => d.label), shown.map((d) => d.data.map(({y}) => y)), shown.map((d) => d.borderColor)];"""
# What lies above others: full opacity.
FORWARD = """return Chart.getChart(document.getElementById(arguments[0])).data.datasets
  .filter((d) => !d.borderColor.startsWith("rgba")).map((d) => d.label);"""
# Of a canvas: pairs of tags that overlap, and of numbers of the x axis that do.
CLASHES = """const chart = Chart.getChart(document.getElementById(arguments[0]));
  const clash = [];
  const boxes = chart.$tags;
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b, j) => {
    if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) clash.push(["tags", i, i + 1 + j]);
  }));
  const axis = chart.scales.x;
  chart.ctx.font = Chart.helpers.toFont(axis.options.ticks.font).string;
  const ends = axis.ticks.map((tick, i) => [axis.getPixelForTick(i), chart.ctx.measureText(tick.label).width]);
  ends.slice(1).forEach(([x, width], i) => {
    if (x - width / 2 < ends[i][0] + ends[i][1] / 2) clash.push(["ticks", axis.ticks[i].label, axis.ticks[i + 1].label]);
  });
  if (boxes.length === 0 || ends.length < 2) clash.push("nothing drawn");
  return clash;"""
CHOOSE = """const select = document.getElementById(arguments[0]);
  select.value = arguments[1];
  select.dispatchEvent(new Event("change"));
  return select.value === arguments[1];"""
CLICK = """const button = [...document.querySelectorAll(arguments[0])].find((e) => e.textContent.includes(arguments[1]));
  button.click();
  return true;"""


def png(side, red):
    """A PNG of one colour."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    rows = (b"\0" + bytes([red, 90, 120]) * side) * side
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def write_run(folder, task, dice):
    """The folder of a finished task, and what it printed."""
    run = folder / "runs" / task["id"]
    kind = task["kind"]
    if kind == "search":
        optimizer = "adas" if "--optimizer=adas" in task["arguments"] else "sgd"
        subprocess.run([sys.executable, "-B", str(HERE.parent / "report" / "make_run.py"), str(run), "--epochs", "20",
                        "--optimizer", optimizer, "--seed", str(dice.randrange(1000))], check=True)
        return {"valid_error": dice.uniform(0.2, 0.3), "best_error": 0.2, "genotype_text": CELL, "epochs": 20}
    if kind == "train":
        run.mkdir(parents=True)
        record = {"kind": "train", "parameters": dice.randrange(100000, 900000), "model": MODEL}
        (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
        return {"best_error": dice.uniform(0.1, 0.2), "valid_error": 0.2, "epochs": 8}
    if kind == "select":
        return {"genotype": CELL, "from": task["needs"][0], "seed": 1, "valid_error": 0.1}
    if kind == "explain":
        run.mkdir(parents=True)
        write_sheet(run)
        return {}
    size = 128 if "128 px" in task["label"] else 64
    lines = ["size,image,group,truth,right"]
    lines += [f"{size},test/{i}.png,{i // 10},a,{int(dice.random() < 0.9)}" for i in range(100)]
    (folder / "predictions" / f"{task['id']}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"evaluations": [{"size": size, "images": 100, "measures": {"accuracy": {"value": dice.uniform(0.8, 0.9)}}}]}


def write_sheet(run):
    """What `explain` writes, with one image of two labels and one whose file is gone."""
    (run / "index.html").write_text("<!DOCTYPE html><title>heat maps</title>", encoding="utf-8")
    networks, images = ["N=3 <sgd>", "resnet18"], []
    (run / "tissue.png").write_bytes(png(300, 200))
    for image, labels in (("tissue", ["a", "b"]), ("gone", ["c"])):
        maps = []
        for network in networks:
            for label in labels:
                file = f"{image}.{len(maps)}.png"
                (run / file).write_bytes(png(272, 40 * len(maps)))
                maps.append({"network": network, "class": label, "probability": 0.25, "speaks_for": label != "b",
                             "overlay": file})
        images.append({"image": str(run / f"{image}.png"), "label": labels, "maps": maps})
    facts = {"networks": [{"name": name} for name in networks], "images": images}
    (run / "explain.json").write_text(json.dumps(facts), encoding="utf-8")


def write_study(root):
    folder = root / "a study"  # with a space, which links must survive
    for name in ("ledger/claims", "predictions", "runs", "logs"):
        (folder / name).mkdir(parents=True)
    (root / "data").mkdir()
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    (folder / "data_root.txt").write_text(str(root), encoding="utf-8")
    plan = subprocess.run([OPTIONS.program, "study", "plan", folder, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    dice = random.Random(1)
    for task in json.loads(plan.stdout)["tasks"]:
        record = {"done": True, "reason": "", "exit": 0, "seconds": 1.0, "memory_mib": 1.0,
                  "result": write_run(folder, task, dice)}
        (folder / "ledger" / f"{task['id']}.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def setUpModule():
    global BROWSER, FOLDER, PAGES
    BROWSER = webdriver.Browser().__enter__()
    unittest.addModuleCleanup(BROWSER.__exit__)
    scratch = tempfile.TemporaryDirectory(prefix="probedarts_study_page_")
    unittest.addModuleCleanup(scratch.cleanup)
    FOLDER = write_study(pathlib.Path(scratch.name))
    PAGES = {"few": FOLDER / "report.html", "all": pathlib.Path(scratch.name, "all.html")}
    for page, options in (("few", ["--figures", FOLDER / "figures"]), ("all", ["--all-pairs"])):
        subprocess.run([OPTIONS.program, "study", "report", FOLDER, "--out", PAGES[page], *options],
                       stdout=subprocess.DEVNULL, check=True)


def show(page="few", width=1280, scheme="light"):
    BROWSER.open("about:blank")
    BROWSER.console()  # what earlier pages said is not this one's
    BROWSER.resize(width, 900)
    BROWSER.prefer(scheme)
    BROWSER.open(PAGES[page].as_uri())


class StudyPage(unittest.TestCase):
    def test_nothing_sticks_out_and_every_figure_is_legible_in_every_look(self):
        for width in (1280, 400):
            for scheme in ("light", "dark"):
                with self.subTest(width=width, scheme=scheme):
                    show("few", width, scheme)
                    self.assertEqual(BROWSER.js(OVERFLOW), [])
                    self.assertEqual([e["message"] for e in BROWSER.console()], [])
                    for name in FIGURES:
                        self.assertEqual(BROWSER.js(SEEN, name), name.startswith("figure-6"), name)  # else a chart is there
                    for name in CANVASES:
                        height = BROWSER.js("return document.getElementById(arguments[0]).getBoundingClientRect().height;", name)
                        self.assertGreater(height, 150, name)
                    text, page = BROWSER.js(BRIGHTNESS)
                    self.assertGreater(abs(text - page), 120)
                    self.assertEqual(page < 128, scheme == "dark")
                    if OPTIONS.screenshots:
                        BROWSER.screenshot(str(pathlib.Path(OPTIONS.screenshots, f"study-{width}-{scheme}.png")))

    def lines(self, canvas):
        return BROWSER.js(LINES, canvas)

    def test_print_shows_the_figures_for_print(self):
        show()
        BROWSER.devtools("Emulation.setEmulatedMedia", {"media": "print"})
        self.addCleanup(BROWSER.devtools, "Emulation.setEmulatedMedia", {"media": ""})
        for name in FIGURES:
            self.assertTrue(BROWSER.js(SEEN, name), name)
        self.assertEqual(BROWSER.js("return document.getElementById('figure-3').getBoundingClientRect().height;"), 0)

    def test_a_reader_chooses_setting_seed_cell_and_edge_of_figure_3(self):
        show()
        labels, first, _ = self.lines("f3-rank-0")
        self.assertEqual(BROWSER.js("return [...document.querySelectorAll('#f3-charts .pair:not([hidden]) h3')].length;"), 4)
        # 4 nodes have 14 edges; the first cell has 6 pointwise convolutions on each and 2 before them.
        self.assertEqual(len(labels), 14 * 6 + 2)
        self.assertTrue(all(label.startswith("0\u2190c_{k-2}") for label in BROWSER.js(FORWARD, "f3-rank-0")))
        self.assertEqual(len(BROWSER.js(FORWARD, "f3-rank-0")), 6)
        weights, before, _ = self.lines("f3-weight-0")
        self.assertEqual(len(weights), 8)
        for epoch in range(20):
            self.assertAlmostEqual(sum(line[epoch] for line in before), 1.0, delta=8 / 65534)  # 16 bits a number
        self.assertTrue(BROWSER.js(CHOOSE, "f3-edge", "2"))
        self.assertTrue(all(label.startswith("1\u2190c_{k-2}") for label in BROWSER.js(FORWARD, "f3-rank-0")))
        self.assertNotEqual(self.lines("f3-weight-0")[1], before)
        self.assertTrue(BROWSER.js(CHOOSE, "f3-seed", "2"))
        self.assertNotEqual(self.lines("f3-rank-0")[1], first)
        self.assertTrue(BROWSER.js(CHOOSE, "f3-cell", "1"))
        self.assertIn("reduction", BROWSER.js("return document.getElementById('f3-cell').selectedOptions[0].textContent;"))
        self.assertGreater(len(self.lines("f3-rank-0")[0]), 14 * 6 + 2)  # factorised reduces as well
        self.assertTrue(BROWSER.js(CHOOSE, "f3-lines", "nodes"))
        self.assertEqual(self.lines("f3-rank-0")[0][1:], [f"mean into node {k}" for k in range(1, 5)])
        self.assertTrue(BROWSER.js(CHOOSE, "f3-lines", "all"))
        self.assertEqual(len(BROWSER.js(FORWARD, "f3-rank-0")), len(self.lines("f3-rank-0")[0]))
        self.assertTrue(BROWSER.js(CLICK, "#f3-settings button", "N=3"))
        self.assertEqual(BROWSER.js("return [...document.querySelectorAll('#f3-charts .pair:not([hidden]) h3')].length;"), 3)

    def test_what_figure_3_shows_is_what_the_run_folder_has(self):
        show()
        plan = subprocess.run([OPTIONS.program, "study", "plan", FOLDER, "--json"], stdout=subprocess.PIPE, text=True, check=True)
        task = next(task for task in json.loads(plan.stdout)["tasks"] if task["kind"] == "search")
        run = FOLDER / "runs" / task["id"]
        last = json.loads((run / "epochs.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        layers = json.loads((run / "run.json").read_text(encoding="utf-8"))["layers"]
        wanted = [rank for rank, layer in zip(last["probe"]["stable_rank"], layers)
                  if layer["cell"] == 0 and layer["role"] != "depthwise"]
        for got, want in zip([line[-1] for line in self.lines("f3-rank-0")[1]], wanted, strict=True):
            self.assertAlmostEqual(got, want, delta=1 / 65534)
        for got, want in zip([line[-1] for line in self.lines("f3-weight-0")[1]], last["alpha_softmax"]["normal"][0], strict=True):
            self.assertAlmostEqual(got, want, delta=1 / 65534)

    def test_lines_of_figures_4_5_and_7_can_be_switched_off_and_joined(self):
        show()
        rows = BROWSER.js("return [...document.querySelector('#results table').querySelectorAll('tbody th')].map((e) => e.textContent);")
        self.assertEqual(self.lines("figure-4-false-0")[0], ["validation", "training"])
        self.assertTrue(BROWSER.js(CLICK, "#figure-4-toggles button", "training"))
        self.assertEqual(self.lines("figure-4-false-3")[0], ["validation"])
        self.assertTrue(BROWSER.js("document.getElementById('figure-4-join').click(); return true;"))
        self.assertEqual(len(self.lines("figure-4-true-0")[0]), 8)
        for name, labels in (("figure-5", JOINED), ("figure-7", rows)):
            self.assertEqual(self.lines(f"{name}-false-0")[0], labels)
            self.assertTrue(BROWSER.js(CLICK, f"#{name}-toggles button", "resnet18"))
            self.assertEqual(self.lines(f"{name}-false-0")[0], labels[:-1])
            self.assertTrue(BROWSER.js(CLICK, f"#{name}-toggles button", "resnet18"))
            self.assertEqual(self.lines(f"{name}-false-0")[0], labels)
        self.assertEqual([e["message"] for e in BROWSER.console()], [])

    def test_charts_follow_the_theme(self):
        show("few", 1280, "light")
        light = self.lines("figure-7-false-0")[2]
        BROWSER.prefer("dark")
        dark = self.lines("figure-7-false-0")[2]
        self.assertTrue(all(a != b for a, b in zip(light, dark, strict=True)), (light, dark))

    def test_heat_maps_are_in_the_page(self):
        show()
        images = BROWSER.js("""return [...document.querySelectorAll("#figure-8 img")].map((i) =>
          [i.complete, i.naturalWidth, i.src.startsWith("data:image/jpeg;base64,"), i.alt]);""")
        self.assertEqual(len(images), 2 * (1 + 2) + 2)  # two labels of one image, one of another that is gone
        self.assertEqual({tuple(image[:3]) for image in images}, {(True, 160, True)})
        self.assertEqual(images[1][3], "Heat map of N=3 <sgd> for a on tissue.png")
        text = BROWSER.js("return document.getElementById('figure-8').textContent;")
        self.assertEqual(text.count("no place speaks for it"), 2)
        self.assertIn("gone.png", text)
        self.assertIn("label: c", text)

    def test_every_chart_has_a_legend(self):
        show()
        rows = BROWSER.js("return [...document.querySelector('#results table').querySelectorAll('tbody th')].map((e) => e.textContent);")
        self.assertEqual(len(rows), 6)
        wanted = {"figure-3-stable-rank": ["before the nodes", "into node 1", "into node 4"], "figure-3-weights": ["skip"],
                  "figure-4": ["training", "validation"]}
        wanted["figure-7"] = [f"{number}  {row}" for number, row in enumerate(rows, 1)]
        wanted["figure-5"] = [f"{numbers}  {line}" for numbers, line in zip(["1, 3", "2, 4", "5", "6"], JOINED, strict=True)]
        for name, labels in wanted.items():
            texts = BROWSER.js(TEXTS, name)
            for label in labels:
                self.assertIn(label, texts, name)
        ranks = BROWSER.js(TEXTS, "figure-3-stable-rank")
        self.assertEqual(ranks.count("into node 1"), 4)  # once a panel, however many lines

    def test_sizes_of_networks_are_those_that_count_tells(self):
        show()
        cells = BROWSER.js("return [...document.querySelector('#results tbody tr').cells].map((e) => e.textContent);")
        counted = subprocess.run([OPTIONS.program, "count", "--genotype", CELL, "--classes", "3", "--size", "64",
                                  "--channels", "16", "--cells", "4", "--json"], stdout=subprocess.PIPE, check=True)
        count = json.loads(counted.stdout)
        heads = BROWSER.js("return [...document.querySelector('#results table').querySelectorAll('thead th')].map((e) => e.textContent);")
        for head, cell, amount, unit in zip(heads[len(heads) - 3:], cells[-3:], ("parameters", "macs", "macs_paper"), UNITS, strict=True):
            self.assertTrue(head.endswith(unit), head)
            self.assertTrue(cell.startswith(f"{count[amount] / 10 ** int(unit[-1]):.4g}"), cell)
        self.assertTrue(cells[-1].endswith("64 px"), cells[-1])

    def test_results_have_intervals_over_runs_and_over_images(self):
        show()
        cells = BROWSER.js("return [...document.querySelector('#results tbody tr').cells].map((e) => e.textContent);")
        mean, sd, low, high = map(float, re.match(r"^(\d\d\.\d\d)(\d+\.\d\d)(\d+\.\d\d) to (\d+\.\d\d); 2 runs$", cells[1]).groups())
        half = 12.7062 * sd / 2 ** 0.5  # Student's t of one degree of freedom
        self.assertAlmostEqual(low, max(0.0, mean - half), delta=0.1)
        self.assertAlmostEqual(high, min(100.0, mean + half), delta=0.1)
        tables = BROWSER.js("return [...document.querySelectorAll('#results h3')].map((e) => e.textContent);")
        self.assertEqual(tables[0], "Over test images: test accuracy")
        row = BROWSER.js("return [...document.querySelectorAll('#results table')[1].rows[1].cells].map((e) => e.textContent);")
        self.assertRegex(" ".join(row), r"^N=3 sgd \d\d\.\d\d \d\d\.\d\d to \d+\.\d\d 100 10$")
        self.assertNotIn("probedarts study tables", BROWSER.js("return document.getElementById('results').textContent;"))

    def test_probes_of_searches_are_set_beside_what_they_foretell(self):
        show()
        heads = BROWSER.js("return [...document.querySelectorAll('#probes thead th')].map((e) => e.textContent);")
        self.assertEqual(heads[1], "mean stable rank")
        self.assertEqual(BROWSER.js("return document.querySelectorAll('#probes tbody tr').length;"), 4)  # the rows searched
        text = BROWSER.js("return document.getElementById('predictions').textContent;")
        self.assertRegex(text, r"search validation accuracy and quick validation accuracy, 8 cells: Kendall's tau-b -?\d\.\d\d, "
                               r"Spearman's rho -?\d\.\d\d; of several settings together")
        self.assertRegex(text, r"search validation accuracy and quick validation accuracy, 8 cells within 4 settings: Kendall's tau-b "
                               r"-?\d\.\d\d \(95 % interval -?\d\.\d\d to -?\d\.\d\d\), Spearman's rho -?\d\.\d\d, p = ")
        self.assertIn("search validation accuracy of the cell chosen and mean test accuracy, 4 cells: ", text)
        self.assertIn("mean stable rank of the search and quick validation accuracy, 8 cells: ", text)

    def test_numbers_beside_points_keep_clear_of_each_other_and_ticks_too(self):
        for width in (1280, 500, 400):
            with self.subTest(width=width):
                show("few", width)
                for name in ("figure-5", "figure-7"):
                    self.assertEqual(BROWSER.js(CLASHES, f"{name}-false-0"), [], name)

    def test_many_rows_are_compared_with_the_best_unless_told_otherwise(self):
        sentences = "return document.querySelectorAll('#comparisons li').length;"
        show("few")
        few = BROWSER.js(sentences)
        self.assertIn("--all-pairs", BROWSER.js("return document.getElementById('comparisons').textContent;"))
        show("all")
        self.assertGreater(BROWSER.js(sentences), few)
        self.assertNotIn("--all-pairs", BROWSER.js("return document.getElementById('comparisons').textContent;"))

    def test_links_to_heat_maps_lead_to_them_from_wherever_the_page_is(self):
        for page in PAGES:
            show(page)
            BROWSER.open(BROWSER.js("return document.querySelector('#figure-8 a').href;"))
            self.assertEqual(BROWSER.js("return document.title;"), "heat maps")

    def test_figures_are_written_as_files_too(self):
        self.assertEqual(sorted(file.stem for file in (FOLDER / "figures").iterdir()), sorted([*FIGURES, "figure-8-sheet1"]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--screenshots", help="folder for screenshots")
    OPTIONS, rest = parser.parse_known_args()
    if webdriver.browser_paths() is None:
        print("skipped: chromium or chromedriver is absent (Debian: chromium, chromium-driver)")
        sys.exit(77)
    if OPTIONS.screenshots:
        pathlib.Path(OPTIONS.screenshots).mkdir(parents=True, exist_ok=True)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
