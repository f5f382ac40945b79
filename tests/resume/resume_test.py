#!/usr/bin/env python3
"""A search or a training killed at random moments and resumed ends with the same bits as one never stopped.

    resume_test.py --program build/dev/probedarts [--command search|train] [--kills 20] [--only EXECUTOR] [--seed 1]

Makes one small run without interruption, and the same run again and again killed with SIGKILL (and once each with
SIGTERM, SIGINT and SIGUSR1, which must leave a checkpoint inside the epoch) after a random time. Compares the last
checkpoint (alpha, weights, momenta, statistics), epochs.jsonl without its seconds, and genotype.json or the best weights.
"""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

SMALL = ["--cells", "3", "--channels", "4", "--size", "32", "--batch", "8", "--epochs", "4"]
PEER = ["--size", "32", "--batch", "8", "--epochs", "2", "--network", "mobilenet_v3_small"]
OPTIONS = {"search": SMALL + ["--nodes", "1"],
           "train": SMALL + ["--genotype", "DARTS_ADP_N2", "--auxiliary", "--drop-path", "0.4", "--cutout", "8"]}
OPTIONS["peer"] = PEER  # with dropout
OPTIONS["runs"] = SMALL + ["--genotype", "DARTS_ADP_N2", "--runs", "2", "--epochs", "2"]
ARTEFACT = {"search": ["genotype.json"], "train": ["checkpoint", "best.safetensors"]}


class Runs:
    """Runs of one kind on one data set. A call of several trainings is compared in its last one."""

    def __init__(self, program, command, folder, extra, options=None, last=""):
        self.program, self.command, self.folder, self.extra, self.last = program, command, folder, extra, last
        self.options = OPTIONS[command] if options is None else options
        self.environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))

    def start(self, run, threads="2"):
        path = os.path.join(self.folder, run)
        if os.path.exists(os.path.join(path, "runs.json" if self.last else "run.json")):
            arguments = [self.command, "--resume", path, "--threads", threads]
        else:  # killed before the run folder was complete: begin again
            arguments = [self.command, "--data", os.path.join(self.folder, "data"), "--out", path, "--threads", threads]
            arguments += self.options + self.extra
        return subprocess.Popen([self.program] + arguments, env=self.environment, stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE, text=True)

    def finish(self, run, threads="2"):
        process = self.start(run, threads)
        errors = process.communicate()[1]
        assert process.returncode == 0, f"{run}: exit {process.returncode}: {errors}"

    def checkpoint(self, run):
        """Tensors and state of the last checkpoint."""
        path = os.path.join(self.folder, run, self.last)
        with open(os.path.join(path, "checkpoint", "last.safetensors"), "rb") as file:
            checkpoint = file.read()
        size = int.from_bytes(checkpoint[:8], "little")
        header = json.loads(checkpoint[8:8 + size])
        state = json.loads(header["__metadata__"]["state"])
        state["progress"].pop("epochs_bytes")  # the printed seconds have no fixed length
        tensors = {name: checkpoint[8 + size + entry["data_offsets"][0]:8 + size + entry["data_offsets"][1]]
                   for name, entry in header.items() if name != "__metadata__"}
        return tensors, state

    def outcome(self, run):
        path = os.path.join(self.folder, run, self.last)
        tensors, state = self.checkpoint(run)
        lines = []
        with open(os.path.join(path, "epochs.jsonl"), encoding="utf-8") as file:
            for line in file:
                head, mark, _ = line.partition(',"seconds":')
                assert mark, "a line of epochs.jsonl has no seconds"
                lines.append(head)
        with open(os.path.join(path, *ARTEFACT[self.command]), "rb") as file:
            return tensors, state, lines, file.read()


def compare(first, second, what):
    for name in first[0]:
        assert first[0][name] == second[0][name], f"{what}: tensor '{name}' differs"
    assert first[1] == second[1], f"{what}: the state differs: {first[1]} {second[1]}"
    assert len(first[2]) == len(second[2]), f"{what}: {len(first[2])} and {len(second[2])} epochs"
    for epoch, (a, b) in enumerate(zip(first[2], second[2])):
        assert a == b, f"{what}: epoch {epoch} differs"
    assert first[3] == second[3], f"{what}: the genotype, or the best weights, differ"


def kill_and_resume(runs, run, kills, duration, dice):
    """Kills `run` until it has died `kills` times or finished; returns how often it was killed."""
    killed = 0
    while killed < kills:
        process = runs.start(run)
        try:
            process.communicate(timeout=dice.uniform(0.0, 0.35 * duration))
            assert process.returncode == 0, f"resume failed with {process.returncode}"
            subprocess.run(["rm", "-r", os.path.join(runs.folder, run)], check=True)  # done too early: once more
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
    return killed


def killed_midway(runs, begun, what):
    """Kills a run once `begun` is there in its folder, and goes on: the same bits as without."""
    runs.finish("whole")
    process = runs.start("killed")
    deadline = time.monotonic() + 120
    while not os.path.exists(os.path.join(runs.folder, "killed", *begun)):
        assert time.monotonic() < deadline and process.poll() is None, f"{what}: never got to {begun}"
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, f"{what}: ended before it was killed"
    runs.finish("killed")
    compare(runs.outcome("whole"), runs.outcome("killed"), what)
    print(f"{what}: same bits after a kill")


def multi_label_folder(folder):
    """The synthetic images with two labels each, drawn from their names."""
    lines = ["file,split,even,third"]
    for split in ("train", "valid", "test"):
        for name in sorted(os.listdir(os.path.join(folder, "data", "images", split))):
            number = int(name.split(".")[0])
            lines.append(f"images/{split}/{name},{split},{int(number % 2 == 0)},{int(number % 3 == 0)}")
    with open(os.path.join(folder, "data", "labels.csv"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def special_trainings(program):
    """A peer with dropout on several labels, and the second of two trainings of one call."""
    with tempfile.TemporaryDirectory() as folder:
        synthesise(program, folder)
        runs = Runs(program, "train", folder, [], OPTIONS["runs"], "run-2")
        killed_midway(runs, ["run-2", "checkpoint", "best.safetensors"], "--runs 2, killed in the second")
        summaries = []
        for run in ("whole", "killed"):
            with open(os.path.join(folder, run, "summary.json"), "rb") as file:
                summaries.append(file.read())
        assert summaries[0] == summaries[1], f"--runs 2: the summaries differ: {summaries}"
    with tempfile.TemporaryDirectory() as folder:
        synthesise(program, folder)
        multi_label_folder(folder)
        runs = Runs(program, "train", folder, [], OPTIONS["peer"])
        killed_midway(runs, ["checkpoint", "best.safetensors"], "mobilenet_v3_small with dropout, several labels")


def synthesise(program, folder):
    subprocess.run([program, "data", "synth", os.path.join(folder, "data"), "--size", "32", "--train", "96", "--valid", "16",
                    "--test", "16"], check=True, capture_output=True)


def polite_stops(runs, run, duration):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        process = runs.start(run)
        deadline = time.monotonic() + 60
        while not os.path.exists(os.path.join(runs.folder, run, "run.json")):
            assert time.monotonic() < deadline, "no run folder after a minute"
            time.sleep(0.01)
        time.sleep(0.1 * duration)
        process.send_signal(number)
        errors = process.communicate(timeout=60)[1]  # 10 s on a machine that does nothing else
        assert process.returncode in (0, 128 + number, -number), f"{number!r}: exit {process.returncode}: {errors}"
        if process.returncode == 128 + number:
            assert "--resume" in errors, f"no word on how to go on: {errors}"


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", required=True)
    options.add_argument("--command", choices=["search", "train"], default="search")
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--only", choices=["fused", "composed"], help="executor; default: both, the slower one with a fifth of the kills")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--special", action="store_true", help="only a peer with dropout, several labels, and --runs")
    arguments = options.parse_args()
    if arguments.special:
        special_trainings(os.path.abspath(arguments.program))
        return 0
    dice = random.Random(arguments.seed)
    searching = arguments.command == "search"
    cases = [("fused", "adas", []), ("fused", "sgd", []), ("composed", "adas", ["--gumbel", "1"] if searching else [])]
    if searching:
        cases.append(("composed", "sgd", ["--partial-channels", "2"]))
    for executor, optimizer, more in cases:
        if arguments.only not in (None, executor):
            continue
        with tempfile.TemporaryDirectory() as folder:
            synthesise(arguments.program, folder)
            extra = ["--optimizer", optimizer, "--lr", "0.1", "--executor", executor, *more]
            if searching:
                extra += ["--order", "2" if optimizer == "sgd" else "1"]
            runs = Runs(os.path.abspath(arguments.program), arguments.command, folder, extra)
            started = time.monotonic()
            runs.finish("whole")
            duration = time.monotonic() - started
            whole = runs.outcome("whole")
            kills = arguments.kills if executor == "fused" or arguments.only else max(2, arguments.kills // 5)
            kill_and_resume(runs, "killed", kills, duration, dice)
            runs.finish("killed")
            compare(whole, runs.outcome("killed"), f"{executor}, {optimizer}: killed {kills} times")
            polite_stops(runs, "stopped", duration)
            runs.finish("stopped")
            compare(whole, runs.outcome("stopped"), f"{executor}, {optimizer}: stopped by signals")
            if executor == "fused":
                runs.finish("one-thread", "1")
                compare(whole, runs.outcome("one-thread"), f"{executor}, {optimizer}: one thread")
            print(f"{' '.join([executor, optimizer, *more])}: same bits after {kills} kills, 3 signals")
    return 0


if __name__ == "__main__":
    sys.exit(main())
