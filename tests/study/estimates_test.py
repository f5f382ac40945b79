#!/usr/bin/env python3
"""What `study plan --measure` expects of each run is within 30 % of what the run then takes.

    estimates_test.py --program build/dev/probedarts [--epochs 8] [--times]

Measures a small grid, runs it and compares, run by run, memory and processor time. Memory decides, and so do times with --times:
ctest leaves that out, because the same work takes half as long again when the neighbours of a virtual machine are busy.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

STUDY = """
name = "measured"
phases = ["search", "quick", "select", "final"]
seeds = [1, 2]
[grid]
data = "data"
nodes = 2
cells = 2
size = 32
[options]
batch = 16
channels = 16
[rows]
networks = "mobilenet_v3_small"
random = 2
[search]
epochs = {epochs}
probe = "eigenvalue,gap,alignment"   # measured in the last of the two epochs, due in every fourth and the last
probe-every = 4
[quick]
epochs = {epochs}
[final]
epochs = {epochs}
runs = 2
"""
LARGEST_ERROR = 0.3


class Grid:
    def __init__(self, program, root, epochs):
        self.program, self.root = os.path.abspath(program), root
        self.environment = dict(os.environ, XDG_CACHE_HOME=str(root / "cache"), OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        (root / "study.toml").write_text(STUDY.format(epochs=epochs), encoding="utf-8")
        self.call("data", "synth", "data", "--size", "32", "--train", "400", "--valid", "60", "--test", "100")

    def call(self, *words):
        return subprocess.run([self.program, *words], cwd=self.root, env=self.environment, capture_output=True, text=True,
                              check=True).stdout

    def measure_and_run(self, out):
        """Of each task what was expected and what its record says."""
        planned = json.loads(self.call("study", "plan", "study.toml", "--measure", "--out", out, "--json"))
        assert planned["unknown"] == 0, f"{planned['unknown']} runs of unknown time after --measure"
        self.call("study", "run", "study.toml", "--out", out)
        tasks = [task for task in planned["tasks"] if task["kind"] != "select"]
        return [(task, json.loads((self.root / out / "ledger" / f"{task['id']}.json").read_text(encoding="utf-8")))
                for task in tasks]


def check(pairs, times):
    worst = 0.0
    for task, record in pairs:
        error = task["processor_seconds"] / record["processor_seconds"] - 1.0
        memory = task["memory_mib"] / record["memory_mib"] - 1.0
        worst = max(worst, abs(error))
        print(f"{task['label']:40} expected {task['processor_seconds']:6.2f} s, took {record['processor_seconds']:6.2f} s "
              f"({error:+.0%}); memory {memory:+.0%}")
        assert abs(memory) < LARGEST_ERROR, f"memory of {task['label']}: {memory:+.0%}"
    expected = sum(task["processor_seconds"] for task, _ in pairs)
    took = sum(record["processor_seconds"] for _, record in pairs)
    print(f"largest error of a run {worst:.0%}, of their sum {expected / took - 1:+.0%}")
    assert not times or worst < LARGEST_ERROR, f"the largest error is {worst:.0%}"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", required=True)
    options.add_argument("--epochs", type=int, default=8)
    options.add_argument("--times", action="store_true", help="times decide as well; wants an idle machine")
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        grid = Grid(arguments.program, pathlib.Path(folder), arguments.epochs)
        check(grid.measure_and_run("study"), arguments.times)
    return 0


if __name__ == "__main__":
    sys.exit(main())
