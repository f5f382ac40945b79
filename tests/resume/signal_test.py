#!/usr/bin/env python3
"""What a signal does while no weight is learnt, and what a terminal shows.

    signal_test.py --program build/dev/probedarts

The program's error stream is a terminal here, whose bars tell what it is doing: each signal is sent when the bar of the
work it is to hit is seen, so nothing hangs on how fast the machine is. The work itself takes some seconds.
"""
import argparse
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time

from resume_test import Runs, compare

PATIENCE = 400  # seconds until something is seen; far more than it takes
PROMPT = 60  # s; 10 on a machine that does nothing else

# Few images to learn from and many to validate on, on a network that takes its time.
SLOW = ["--cells", "3", "--channels", "8", "--size", "64", "--batch", "8", "--epochs", "2", "--executor", "composed",
        "--optimizer", "adas", "--lr", "0.1", "--augment", "none"]
OPTIONS = {"search": SLOW + ["--nodes", "1", "--train-portion", "0.1", "--split-by-group", "false",
                             "--probe", "gap"],
           "train": SLOW + ["--genotype", "DARTS_ADP_N2"]}
IMAGES = {"search": ["--train", "240", "--valid", "0"], "train": ["--train", "24", "--valid", "240"]}


class OnTerminal:
    """The program with a terminal for its error stream."""

    def __init__(self, command, environment):
        self.master, slave = pty.openpty()
        self.text = ""
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave,
                                        env=dict(environment, TERM="xterm"))
        os.close(slave)

    def read(self, seconds):
        """Takes in what was written; False when the program has closed the terminal."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            read = os.read(self.master, 65536)
        except OSError:  # how Linux says that the other side is closed
            return False
        self.text += read.decode("utf-8")
        return bool(read)

    def wait_for(self, pattern):
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.text!r}"
            assert self.read(0.1) or re.search(pattern, self.text), f"ended without {pattern!r}: {self.text!r}"

    def send(self, number):
        self.sent = time.monotonic()
        self.process.send_signal(number)

    def end(self):
        deadline = time.monotonic() + PATIENCE
        while self.read(0.1):
            assert time.monotonic() < deadline, f"does not end: {self.text!r}"
        code = self.process.wait()
        os.close(self.master)
        return code

    def last_line(self):
        return re.sub(r"^.*\x1b\[K", "", self.text.replace("\r\n", "\n").rstrip("\n").split("\n")[-1])


def stopped_by(running, number, word):
    """The signal is answered in time, with a sentence that ends the terminal's text."""
    running.send(number)
    code = running.end()
    took = time.monotonic() - running.sent
    assert code == 128 + number, f"exit {code}: {running.text!r}"
    assert took < PROMPT, f"{took:.1f} s from the signal to the end"
    assert running.last_line() == word, f"{running.last_line()!r} is not {word!r}"


def start(runs, run, options):
    path = os.path.join(runs.folder, run)
    resuming = os.path.exists(os.path.join(path, "run.json"))
    arguments = ["--resume", path] if resuming else ["--data", os.path.join(runs.folder, "data"), "--out", path, *options]
    return OnTerminal([runs.program, runs.command, *arguments, "--threads", "1"], runs.environment), path


def epochs_written(path):
    lines = os.path.join(path, "epochs.jsonl")
    if not os.path.exists(lines):
        return 0
    with open(lines, "rb") as file:
        return len(file.read().splitlines())


def check_stop_in_examination(runs, options, pattern, stops):
    """A stop after the last iteration of an epoch leaves it learnt and not written down."""
    for number in stops:
        running, path = start(runs, "stopped", options)
        running.wait_for(pattern)
        before = epochs_written(path)
        stopped_by(running, number,
                   f"probedarts: stopped in epoch {before + 1}; go on with: probedarts {runs.command} --resume {path}")
        progress = runs.checkpoint("stopped")[1]["progress"]
        assert epochs_written(path) == progress["epoch"] == before, f"{progress}: the epoch was written down"
        assert progress["step"] == 3, f"{progress}: not all of 3 iterations were done"


def check_runs(program, command, folder):
    runs = Runs(program, command, folder, [])
    options = OPTIONS[command]
    subprocess.run([program, "data", "synth", os.path.join(folder, "data"), "--size", "32", "--test", "0", *IMAGES[command]],
                   check=True, capture_output=True)
    running, _ = start(runs, "whole", options)
    assert running.end() == 0, running.text
    for bar in (r"\x1b\[Kepoch 1/2 \[[#.]{24}\] \d+ images/s, \d+ s left", r"\x1b\[Kvalidation \[[#.]{24}\] \d+ images/s, \d+ s left"):
        assert re.search(bar, running.text), f"no {bar!r} in {running.text!r}"
    whole = runs.outcome("whole")
    pass_begins = r"(\r\x1b\[K){2}validation \["  # after the bar before it was cleared
    check_stop_in_examination(runs, options, pass_begins, (signal.SIGTERM, signal.SIGINT))
    if command == "search":  # the second pass over the validation half is the probe's
        check_stop_in_examination(runs, options, rf"(?s){pass_begins}.*{pass_begins}", [signal.SIGUSR1])
    running, _ = start(runs, "stopped", options)
    assert running.end() == 0, running.text
    first = re.search(r"epoch 1/2  train .*", running.text).group(0)
    assert "images/s" not in first, f"a rate of images that another process learnt: {first}"
    compare(whole, runs.outcome("stopped"), f"{command}: stopped in validation")


def check_building(program, folder):
    """Images are decoded before there is a run folder: nothing is left, and nothing half written."""
    cache, out = os.path.join(folder, "fresh-cache"), os.path.join(folder, "never")
    running = OnTerminal([program, "search", "--data", os.path.join(folder, "data"), "--cache", cache, "--out", out,
                          "--size", "512", "--threads", "1"], os.environ)
    deadline = time.monotonic() + PATIENCE
    while not os.path.isdir(cache) or not os.listdir(cache):  # hashes of contents come first, and are kept
        assert time.monotonic() < deadline, "no cache folder"
        running.read(0.01)
    stopped_by(running, signal.SIGTERM, "probedarts: stopped while the images were read; start again")
    assert not os.path.exists(out), "a run folder was made"
    assert [name for name in os.listdir(cache) if not name.endswith(".contents")] == [], os.listdir(cache)


def check_synth(program, folder):
    """A data set that was not finished is not there."""
    out = os.path.join(folder, "big")
    for number, code in ((signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)):
        process = subprocess.Popen([program, "data", "synth", out, "--size", "256", "--train", "100000"],
                                   stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + PATIENCE
        while not any(name.startswith(".big.") for name in os.listdir(folder)):
            assert time.monotonic() < deadline and process.poll() is None, "no data set is begun"
            time.sleep(0.01)
        process.send_signal(number)
        errors = process.communicate(timeout=PROMPT)[1]
        assert process.returncode == code, f"exit {process.returncode}: {errors}"
        assert not os.path.exists(out), f"half a data set after {number!r}"
        if number == signal.SIGTERM:
            assert errors == "probedarts: interrupted; nothing was written\n", errors
            assert not any(name.startswith(".big.") for name in os.listdir(folder)), os.listdir(folder)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", required=True)
    program = os.path.abspath(options.parse_args().program)
    for command in ("search", "train"):
        with tempfile.TemporaryDirectory() as folder:
            check_runs(program, command, folder)
            if command == "search":
                check_building(program, folder)
                check_synth(program, folder)
        print(f"{command}: stopped between iterations within {PROMPT} s, same bits afterwards")
    return 0


if __name__ == "__main__":
    sys.exit(main())
