#!/usr/bin/env python3
"""Every ready study of configs/small and configs/paper is a study that can be planned.

    configs_test.py --program build/dev/probedarts

Plans each on empty folders in the place of its data sets, and checks that the paper's protocol is what comes out.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import tomllib

CONFIGS = pathlib.Path(__file__).resolve().parents[2] / "configs"


def data_sets(study):
    grids = study["grid"] if isinstance(study["grid"], list) else [study["grid"]]
    for table in [*grids, study.get("transfer", {})]:
        names = table.get("data", [])
        yield from [names] if isinstance(names, str) else names


def plan(program, path):
    with tempfile.TemporaryDirectory() as root:
        for name in data_sets(tomllib.loads(path.read_text(encoding="utf-8"))):
            (pathlib.Path(root) / name).mkdir(exist_ok=True)
        done = subprocess.run([program, "study", "plan", path, "--data-root", root, "--json"], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 0, f"{path}: {done.stderr}"
        return json.loads(done.stdout)


def count(study, kind, phase):
    return sum(task["kind"] == kind and task["phase"] == phase for task in study["tasks"])


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", required=True)
    program = options.parse_args().program
    studies = {path.relative_to(CONFIGS).with_suffix("").as_posix(): plan(program, path)
               for path in sorted(CONFIGS.glob("*/*.toml"))}
    # Four searches a setting, and the paper's settings: Tables 3 to 6.
    for name, settings in (("paper/cifar10", 6), ("paper/cifar100", 6), ("paper/adp_cells", 6), ("paper/adp_nodes", 10),
                           ("paper/learning_rates", 4), ("small/sizes", 6), ("small/cells", 6), ("small/responses", 5)):
        assert count(studies[name], "search", "search") == 4 * settings, f"{name}: not {settings} settings of 4 searches"
    # Tables 3 and 4, small: two searches for each of three numbers of nodes with two optimizers.
    assert count(studies["small/nodes_cifar"], "search", "search") == 2 * 6
    assert count(studies["small/nodes_cifar"], "train", "final") == 2 * (6 + 3)  # and random cells of each size
    cells = {argument for task in studies["small/cells"]["tasks"] for argument in task["arguments"] if argument.startswith("--cells=")}
    assert cells == {"--cells=4", "--cells=5", "--cells=6"}, cells
    # Table 7: 13 networks on 4 data sets, 3 runs each; figure 7: 7 networks, 3 data sets, 4 resolutions.
    assert count(studies["paper/transfer"], "train", "final") == 13 * 3
    assert count(studies["paper/transfer"], "train", "transfer") == 13 * 3 * 3
    assert count(studies["paper/transfer"], "explain", "explain") == 4
    assert count(studies["paper/resolutions"], "train", "resolution") == 7 * 3 * 4 * 3
    assert all("--cells=14" in task["arguments"] for task in studies["paper/cifar10"]["tasks"]
               if task["kind"] == "train" and "14 cells trained" in task["label"])
    # Each response alone, none in the trainings of what it found; the plain search is that of sizes.toml.
    tasks = studies["small/responses"]["tasks"]
    for flag in ("--auxiliary-skip=1", "--beta-decay=50", "--gumbel=5", "--partial-channels=4"):
        assert sum(flag in task["arguments"] for task in tasks) == 4, flag
    assert count(studies["small/responses"], "train", "quick") == 5 * 4 + 8
    plain = {task["id"] for task in studies["small/sizes"]["tasks"]} & {task["id"] for task in tasks}
    assert len(plain) == 4 + 4 + 8, f"{len(plain)} runs of small/responses are also in small/sizes"
    print("\n".join(f"{name}: {len(study['tasks'])} runs" for name, study in studies.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
