#!/usr/bin/env python3
"""What `study plan --measure` expects of each run is within 30 % of what the run then takes.

    estimates_test.py --program build/dev/probedarts [--epochs 8] [--rounds 3]

Measures a small grid, runs it and compares, run by run, in processor time, which other programs lengthen least. A machine that
gives the runs less than 85 % of a processor is busy with something else, and its times say nothing: then the grid is run again,
and after --rounds of that the test is skipped (exit code 77), saying so. Memory is compared as well.
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
[quick]
epochs = {epochs}
[final]
epochs = {epochs}
runs = 2
"""
LARGEST_ERROR = 0.3
BUSY = 0.85  # processor time over time by the clock of one thread that has a processor to itself
SKIPPED = 77


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


def share_of_a_processor(pairs):
    planned = sum(task["processor_seconds"] for task, _ in pairs) / sum(task["seconds"] for task, _ in pairs)
    took = sum(record["processor_seconds"] for _, record in pairs) / sum(record["seconds"] for _, record in pairs)
    return min(planned, took)


def check(pairs):
    worst = 0.0
    for task, record in pairs:
        error = task["processor_seconds"] / record["processor_seconds"] - 1.0
        memory = task["memory_mib"] / record["memory_mib"] - 1.0
        worst = max(worst, abs(error))
        print(f"{task['label']:40} expected {task['processor_seconds']:6.2f} s, took {record['processor_seconds']:6.2f} s "
              f"({error:+.0%}); memory {memory:+.0%}")
        assert abs(memory) < LARGEST_ERROR, f"memory of {task['label']}: {memory:+.0%}"
    print(f"largest error {worst:.0%}")
    assert worst < LARGEST_ERROR, f"the largest error is {worst:.0%}"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", required=True)
    options.add_argument("--epochs", type=int, default=8)
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    share = 0.0
    with tempfile.TemporaryDirectory() as folder:
        grid = Grid(arguments.program, pathlib.Path(folder), arguments.epochs)
        for attempt in range(arguments.rounds):
            pairs = grid.measure_and_run(f"study{attempt}")
            share = share_of_a_processor(pairs)
            if share >= BUSY:
                check(pairs)
                return 0
    print(f"skipped: the machine is busy with something else: runs of one thread had {share:.0%} of a processor")
    return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
