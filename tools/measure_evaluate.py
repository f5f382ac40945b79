#!/usr/bin/env python3
"""Measures what `evaluate` loses beside bare inference: images a second of both, in turns.

    tools/measure_evaluate.py PROGRAM --data FOLDER [--sizes 68 136 272] [--threads 2 1] [--copies 1] [--rounds 3]

On an idle machine. FOLDER has class folders in train/ (docs/data.md). Evaluates a barely trained DARTS_ADP_N4 (C 36, L 4) on its train
split three ways and prints a Markdown table of medians:
  bare       `bench step infer`, batches of 32 that lie in memory
  decoding   `evaluate` without a cache: reads and decodes every image
  cache      `evaluate` with the cache that a training has left
--copies K puts every image into the split K times, as other files: what is paid once then weighs less.
"""
import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BATCH = "32"
REST_SECONDS = 3  # files younger than 2 s are hashed again, and their cache is then not taken


class Measured:
    def __init__(self, program, data, root, threads):
        self.program, self.data, self.root, self.threads = os.path.abspath(program), data, root, str(threads)

    def call(self, *words):
        done = subprocess.run([self.program, *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, words))}: {done.stderr}")
        return done.stdout

    def train(self, size, *network):
        """A training of one epoch: its model, and the cache that it leaves at this size."""
        run = self.root / f"run-{len(list(self.root.glob('run-*')))}"
        self.call("train", *network, "--data", self.data, "--size", size, "--epochs", 1, "--batch", BATCH,
                  "--cache", self.root / "cache", "--out", run)
        return run

    def bare(self, size, classes):
        printed = self.call("bench", "step", "infer", "--genotype", "n4", "--stem", "pathology", "--channels", 36, "--cells", 4,
                            "--classes", classes, "--size", size, "--batch", BATCH, "--threads", self.threads, "--steps", 15)
        return int(BATCH) / json.loads(printed.splitlines()[-1])["seconds"]

    def evaluate(self, run, size, cache):
        printed = self.call("evaluate", run, "--split", "train", "--bootstrap", 0, "--size", size, "--batch", BATCH,
                            "--threads", self.threads, "--cache", self.root / cache, "--json")
        found = json.loads(printed)
        return found["evaluations"][0]["images_per_second"], found["evaluations"][0]["images"]


def copied(data, copies, root):
    """A data set with every train image `copies` times; other splits as they are, lists left out."""
    if copies == 1:
        return data
    out = root / "data"
    for split in data.iterdir():
        if split.name in ("train", "valid", "test"):
            shutil.copytree(split, out / split.name)
    for file in sorted((data / "train").rglob("*")):
        for copy in range(1, copies if file.is_file() else 1):
            shutil.copy(file, out / file.parent.relative_to(data) / f"copy{copy}-{file.name}")
    time.sleep(REST_SECONDS)
    return out


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program")
    options.add_argument("--data", type=pathlib.Path, required=True)
    options.add_argument("--sizes", type=int, nargs="+", default=[68, 136, 272])
    options.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    options.add_argument("--copies", type=int, default=1)
    options.add_argument("--rounds", type=int, default=3)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        data = copied(arguments.data, arguments.copies, root)
        classes = sum(1 for entry in (data / "train").iterdir() if entry.is_dir())
        print("| threads | size | images | bare inference | `evaluate`, decoding | `evaluate` with the cache |\n|---|---|---|---|---|---|")
        trainer = Measured(arguments.program, data, root, 2)
        run = trainer.train(min(arguments.sizes), "--network", "DARTS_ADP_N4")
        for size in arguments.sizes:
            trainer.train(size, "--network", "DARTS_ADP_N2", "--channels", 4)  # for the cache, the quickest
            for threads in arguments.threads:
                measured = Measured(arguments.program, data, root, threads)
                rounds = []
                for _ in range(arguments.rounds):
                    decoding, images = measured.evaluate(run, size, "none")
                    rounds.append((measured.bare(size, classes), decoding, measured.evaluate(run, size, "cache")[0]))
                bare, decoding, cached = (statistics.median(column) for column in zip(*rounds))
                print(f"| {threads} | {size} px | {images:,} | {bare:,.0f} | {decoding:,.0f} ({decoding / bare - 1:+.0%}) | "
                      f"{cached:,.0f} ({cached / bare - 1:+.0%}) |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
