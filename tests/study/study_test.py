#!/usr/bin/env python3
"""A study killed at random moments and run again ends with the same results as one never killed.

    study_test.py --program build/dev/probedarts [--kills 20] [--seed 1]

Runs one small study of all phases without interruption, and another killed with SIGKILL after random times and run again
until it is done, then a third by two shards at once. Compares what each found: tables byte for byte, what every run
printed but for times and folders, and what the tests said of each image. Also: a finished study starts nothing again, no
run or claim is left over, and a killed study leaves no process behind.
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
phases = ["search", "quick", "select", "final", "transfer", "resolution", "explain"]
seeds = [1, 2]
[grid]
data = "single"
nodes = 1
cells = 1
size = 32
[options]
channels = 4
batch = 8
[rows]
random = 2
genotypes = "DARTS_ADP_N2"
networks = "mobilenet_v3_small"
[search]
epochs = 3
[quick]
epochs = 2
[final]
epochs = 2
runs = 2
[transfer]
data = "multi"
epochs = 1
runs = 1
[resolution]
sizes = [32, 40]
epochs = 2
runs = 2
[explain]
pick = 2
rows = ["searched", "random", "DARTS_ADP_N2"]
"""
# 2 searches; 2 + 2 quick trainings; 2 choices; 4 rows of 2 + 1 + 2 trainings and tests (those at 32 px are the final
# ones); a sheet of each data set.
TASKS = 2 + 4 + 2 + 4 * 5 * 2 + 2
CHANGING = {"seconds", "images_per_second"}


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if key not in CHANGING}
    return [without_times(part) for part in value] if isinstance(value, list) else value


class Studies:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))

    def start(self, out, *more):
        words = [self.program, "study", "run", "study.toml", "--out", out, "--data-root", "sets", "--workers", "2",
                 "--threads", "2", *more]
        return subprocess.Popen(words, cwd=self.folder, env=self.environment, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    @staticmethod
    def finish(process):
        errors = process.communicate(timeout=600)[1]
        assert process.returncode == 0, f"exit {process.returncode}: {errors}"
        return errors

    def tables(self, out):
        def printed(*options):
            return subprocess.run([self.program, "study", "tables", out, *options], cwd=self.folder, check=True,
                                  capture_output=True).stdout
        return {**{form: printed("--format", form) for form in ("markdown", "csv", "latex")},
                "paper": printed("--layout", "paper")}

    def results(self, out):
        """The tables, and what every run found, without times and folders."""
        study = os.path.join(self.folder, out)
        ledger = os.path.join(study, "ledger")
        found = self.tables(out)
        ids = set()
        for name in sorted(os.listdir(ledger)):
            if name.endswith(".json"):
                with open(os.path.join(ledger, name), encoding="utf-8") as file:
                    record = json.load(file)
                assert record["done"], f"{out}: {name}: {record['reason']}"
                text = json.dumps(without_times(record["result"]), sort_keys=True)
                found[name] = text.replace(f'"{out}/', '"STUDY/')
                ids.add(name[:-5])
        tests = {name[:-4] for name in os.listdir(os.path.join(study, "predictions"))}
        for test in tests:
            with open(os.path.join(study, "predictions", test + ".csv"), "rb") as file:
                found[test] = file.read()
        runs = set(os.listdir(os.path.join(study, "runs")))
        assert len(ids) == TASKS, f"{out}: {len(ids)} records instead of {TASKS}"
        assert not runs & tests, f"{out}: both runs and tests: {runs & tests}"
        assert runs | tests < ids, f"{out}: runs or tests without a record: {(runs | tests) - ids}"
        assert len(ids - runs - tests) == 2, f"{out}: only the two choices leave nothing but a record"
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


def check_tables(tables):
    """What only a study of all phases can say is there."""
    text = tables["markdown"].decode()
    for part in ("search validation accuracy", "quick validation accuracy", "test accuracy", "test accuracy on multi",
                 "test accuracy at 40 px", "## Over test images: test accuracy", "## Does one foretell the other?"):
        assert part in text, f"the tables lack '{part}':\n{text}"
    paper = tables["paper"].decode()
    assert "| Number of nodes | DARTS: Acc (%) | Prm (M) | MAC (G) |\n" in paper, paper
    assert "| Network | single: Acc (%) | Prm (M) | MAC (G) | multi: Acc (%) | Prm (M) | MAC (G) |\n" in paper, paper
    assert "| MobileNetV3-small | " in paper and "| DARTS-ADP-N2 | " in paper and " | - |" not in paper, paper
    for row in ("searched", "random", "DARTS\\_ADP\\_N2", "mobilenet\\_v3\\_small"):
        assert f"| {row} | " in text, f"the tables lack row '{row}':\n{text}"


def kill_often(studies, kills, duration, dice):
    killed = 0
    for _ in range(kills):
        process = studies.start("killed")
        try:
            process.communicate(timeout=dice.uniform(0.1, 1.9) * duration / kills)
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


def make_data(studies):
    for name, more in (("single", []), ("multi", ["--multi-label"])):
        subprocess.run([studies.program, "data", "synth", os.path.join(studies.folder, "sets", name), "--size", "32",
                        "--train", "64", "--valid", "16", "--test", "16", *more], check=True, capture_output=True)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", required=True)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    arguments = options.parse_args()
    dice = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        studies = Studies(os.path.abspath(arguments.program), folder)
        os.mkdir(os.path.join(folder, "sets"))
        make_data(studies)
        with open(os.path.join(folder, "study.toml"), "w", encoding="utf-8") as file:
            file.write(STUDY)
        started = time.monotonic()
        studies.finish(studies.start("whole"))
        duration = time.monotonic() - started
        whole = studies.results("whole")
        check_tables(whole)
        assert "started" not in studies.finish(studies.start("whole")), "a finished study started something"

        killed = kill_often(studies, arguments.kills, duration, dice)
        studies.finish(studies.start("killed"))
        compare(studies.results("killed"), whole, "killed and run again")

        shards = [studies.start("shards", "--shard", f"{i}/2") for i in (1, 2)]
        said = "".join(studies.finish(shard) for shard in shards)
        assert said.count("started: ") == TASKS - 2, f"two shards did not start each run once:\n{said}"
        compare(studies.results("shards"), whole, "two shards")
        print(f"same results after {killed} kills, and by two shards")
    return 0


if __name__ == "__main__":
    sys.exit(main())
