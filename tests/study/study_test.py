#!/usr/bin/env python3
"""A study killed at random moments and run again ends with the same results as one never killed.

    study_test.py --program build/dev/probedarts [--kills 20] [--seed 1]

Runs one small study of searches without interruption, and another killed with SIGKILL after random times and run again
until it is done, then a third by two shards at once. Compares what each found: cells and errors of every run, and that
no run is left over. Also: a finished study starts nothing again, and a killed one leaves no process behind.
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time

STUDY = """
name = "small"
phases = ["search"]
seeds = [1, 2, 3]
[grid]
data = "data"
nodes = [1, 2]
cells = 1
size = 32
[search]
epochs = 3
channels = 4
batch = 8
"""


class Studies:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))

    def start(self, out, *more):
        words = [self.program, "study", "run", "study.toml", "--out", out, "--workers", "2", "--threads", "2", *more]
        return subprocess.Popen(words, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    @staticmethod
    def finish(process):
        errors = process.communicate(timeout=300)[1]
        assert process.returncode == 0, f"exit {process.returncode}: {errors}"
        return errors

    def results(self, out):
        """What every run found, without times."""
        ledger = os.path.join(self.folder, out, "ledger")
        found = {}
        for name in sorted(os.listdir(ledger)):
            if name.endswith(".json"):
                with open(os.path.join(ledger, name), encoding="utf-8") as file:
                    record = json.load(file)
                assert record["done"], f"{out}: {name}: {record['reason']}"
                found[name] = [record["result"][key] for key in ("genotype", "valid_error", "train_error", "epochs")]
        runs = set(os.listdir(os.path.join(self.folder, out, "runs")))
        assert runs == {name[:-5] for name in found}, f"{out}: runs and records differ"
        assert not os.listdir(os.path.join(ledger, "claims")), f"{out}: claims are left"
        return found

    def processes_on(self, out):
        """Other processes whose command line names the study's runs."""
        mark = os.path.join(out, "runs").encode()
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    line = file.read()
                if mark in line and os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(self.folder):
                    found.append(pid)
            except OSError:
                pass  # ended meanwhile, or not ours to look at
        return found


def compare(found, whole, what):
    assert found.keys() == whole.keys(), f"{what}: other runs"
    for name, result in whole.items():
        assert found[name] == result, f"{what}: {name} differs: {found[name]} instead of {result}"


def kill_often(studies, kills, duration, dice):
    killed = 0
    for _ in range(kills):
        process = studies.start("killed")
        try:
            process.communicate(timeout=dice.uniform(0.05, 0.5) * duration)
            break  # done
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
    deadline = time.monotonic() + 10
    while studies.processes_on("killed") and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not studies.processes_on("killed"), "a killed study left processes behind"
    return killed


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", required=True)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    dice = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        studies = Studies(os.path.abspath(arguments.program), folder)
        subprocess.run([studies.program, "data", "synth", os.path.join(folder, "data"), "--size", "32", "--train", "64",
                        "--valid", "16", "--test", "16"], check=True, capture_output=True)
        with open(os.path.join(folder, "study.toml"), "w", encoding="utf-8") as file:
            file.write(STUDY)
        started = time.monotonic()
        studies.finish(studies.start("whole"))
        duration = time.monotonic() - started
        whole = studies.results("whole")
        assert len(whole) == 6, f"{len(whole)} runs"
        assert "started" not in studies.finish(studies.start("whole")), "a finished study started something"

        killed = kill_often(studies, arguments.kills, duration, dice)
        studies.finish(studies.start("killed"))
        compare(studies.results("killed"), whole, "killed and run again")

        shards = [studies.start("shards", "--shard", f"{i}/2") for i in (1, 2)]
        said = "".join(studies.finish(shard) for shard in shards)
        assert said.count("started: ") == 6, f"two shards did not start each run once:\n{said}"
        compare(studies.results("shards"), whole, "two shards")
        print(f"same results after {killed} kills, and by two shards")
    return 0


if __name__ == "__main__":
    sys.exit(main())
