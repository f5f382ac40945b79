#!/usr/bin/env python3
"""Measures `study run` itself: what it costs, and what two workers gain.

    tools/measure_study.py PROGRAM [--epochs 6]

On an idle machine (a second busy process makes both worthless). Makes synthetic data and a small grid of searches and trainings of --epochs epochs each, carries it out
with one worker, and prints:
  beside     of the time of `study run` with one worker of one thread what is not the time of its runs: within one pass, so that
             the machine's variation from minute to minute does not enter
  overhead   that whole time over that of the same commands one after the other, in another pass
  machine    time of the searches one after the other over that of two at a time, without any study: what two workers can gain here
  workers    time with one worker of one thread over that with two workers of one thread each
How good the estimates of `study plan --measure` are is shown by tests/study/estimates_test.py --times.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

STUDY = """
name = "measured"
phases = ["search", "quick", "select", "final"]
seeds = [1, 2]
[grid]
data = "data"
nodes = [1, 3]
cells = 3
size = 32
[options]
batch = 16
[rows]
networks = "mobilenet_v3_small"
random = 2
[search]
channels = 16
epochs = {epochs}
[quick]
channels = 16
epochs = {epochs}
[final]
channels = 16
epochs = {epochs}
runs = 2
"""


class Bench:
    def __init__(self, program, root):
        self.program, self.root = os.path.abspath(program), root
        self.environment = dict(os.environ, XDG_CACHE_HOME=str(root / "cache"), OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

    def call(self, words):
        started = time.monotonic()
        done = subprocess.run([self.program, *words], cwd=self.root, env=self.environment, capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, words))}: {done.stderr}")
        return time.monotonic() - started, done.stdout

    def study(self, out, workers):
        return self.call(["study", "run", "study.toml", "--out", out, "--workers", str(workers), "--threads", str(workers)])[0]

    def plan(self, source, *more):
        return json.loads(self.call(["study", "plan", source, "--json", *more])[1])

    def record(self, out, task):
        return json.loads((self.root / out / "ledger" / f"{task['id']}.json").read_text(encoding="utf-8"))

    def bare(self, tasks, out):
        """The same commands one after the other, as a shell script would run them."""
        chosen = {task["id"]: self.record(out, task)["result"].get("genotype") for task in tasks if task["kind"] == "select"}
        seconds = 0.0
        for task in tasks:
            if task["kind"] == "select":
                continue
            words = [self.expand(word, chosen) for word in task["arguments"]] + ["--threads=1", "--json"]
            more = f"--predictions=bare-{task['id']}.csv" if task["kind"] == "evaluate" else f"--out=bare/{task['id']}"
            seconds += self.call([*words, more])[0]
        return seconds

    def searches(self, tasks, out, at_once):
        """Seconds for the searches alone, `at_once` of them at a time, as fair as can be: all of them alike."""
        first = next(task for task in tasks if task["kind"] == "search")
        started = time.monotonic()
        for batch in range(4 // at_once):
            running = [subprocess.Popen([self.program, *first["arguments"], "--threads=1", f"--out={out}-{batch}-{k}"], cwd=self.root,
                                        env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                       for k in range(at_once)]
            if any(process.wait() != 0 for process in running):
                sys.exit("a search failed")
        return time.monotonic() - started

    @staticmethod
    def expand(word, chosen):
        for task, genotype in chosen.items():
            word = word.replace(f"{{selected:{task}}}", str(genotype))
        start = word.find("{run:")
        return word if start < 0 else word[:start] + "bare/" + word[start + 5:-1]


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("program")
    options.add_argument("--epochs", type=int, default=6)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.program, pathlib.Path(folder))
        (bench.root / "study.toml").write_text(STUDY.format(epochs=arguments.epochs), encoding="utf-8")
        bench.call(["data", "synth", "data", "--size", "32", "--train", "800", "--valid", "100", "--test", "200"])
        planned = bench.plan("study.toml")
        one = bench.study("one", 1)
        runs = sum(bench.record("one", task)["seconds"] for task in planned["tasks"])
        print(f"beside: {one:.2f} s with study run, of which its runs {runs:.2f} s: {one / runs - 1:+.2%} beside them", flush=True)
        bare = bench.bare(planned["tasks"], "one")
        print(f"overhead: {one:.2f} s with study run, {bare:.2f} s without: {one / bare - 1:+.2%}")
        alone, together = (bench.searches(planned["tasks"], f"alone-{n}", n) for n in (1, 2))
        print(f"machine: {alone:.2f} s for four searches, {together:.2f} s two at a time: {alone / together:.2f} times as fast")
        two = bench.study("two", 2)
        print(f"workers: {one:.2f} s with one, {two:.2f} s with two: {one / two:.2f} times as fast")
    return 0


if __name__ == "__main__":
    sys.exit(main())
