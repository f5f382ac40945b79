#!/usr/bin/env python3
"""A study of more than 1,000 finished runs opens in less than 3 s: status, plan, tables and report.

    many_runs_test.py --program build/dev/probedarts [--seconds 3] [--keep FOLDER]

Seconds are those of the processor, which other programs on the machine do not lengthen.

Writes a study folder as `study run` leaves it, with made-up results, without running anything: 10 settings with 10 seeds,
their quick trainings, choices and 40 final runs each. Each search has its 50 epochs on disk, 580 MB in all (the seeds of a
setting share one file). The page stays below 12 MB. --keep leaves the folder behind for a look.
"""
import argparse
import json
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile

STUDY = """
name = "many"
phases = ["search", "quick", "select", "final"]
seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
[grid]
data = "data"
nodes = [2, 3, 4, 5, 6]
optimizer = ["sgd", "adas"]
[final]
runs = 40
"""
IMAGES = 500
EPOCHS = 50
HERE = pathlib.Path(__file__).resolve().parent
CELL = "Genotype(normal=[('skip_connect', 0), ('skip_connect', 1)], normal_concat=[2], reduce=[('skip_connect', 0), ('skip_connect', 1)], reduce_concat=[2])"


def result_of(task, dice, folder):
    if task["kind"] == "search":
        return {"valid_error": dice.uniform(0.2, 0.3), "best_error": 0.2, "genotype_text": CELL, "epochs": 50}
    if task["kind"] == "train":
        return {"best_error": dice.uniform(0.1, 0.2), "valid_error": 0.2, "epochs": 100}
    if task["kind"] == "select":
        return {"genotype": CELL, "from": task["needs"][0], "seed": 1, "valid_error": 0.1}
    right = [dice.random() < 0.9 for _ in range(IMAGES)]
    lines = ["size,image,group,truth,right"]
    lines += [f"64,test/{i}.png,{i // 20},a,{int(value)}" for i, value in enumerate(right)]
    (folder / "predictions" / f"{task['id']}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"evaluations": [{"size": 64, "images": IMAGES, "measures": {"accuracy": {"value": sum(right) / IMAGES}}}]}


def write_searches(folder, tasks):
    """Run folders of the searches: one of each number of nodes, linked for all seeds and optimizers."""
    made = {}
    for task in tasks:
        if task["kind"] != "search":
            continue
        nodes = next(word[8:] for word in task["arguments"] if word.startswith("--nodes="))
        run = folder / "runs" / task["id"]
        if nodes not in made:
            subprocess.run([sys.executable, "-B", HERE.parent / "report" / "make_run.py", run, "--nodes", nodes, "--epochs",
                            str(EPOCHS), "--optimizer", "adas"], check=True)
            made[nodes] = run
            continue
        run.mkdir()
        for name in ("run.json", "epochs.jsonl"):
            os.link(made[nodes] / name, run / name)


def write_study(program, root):
    folder = root / "many"
    for name in ("ledger/claims", "predictions", "runs", "logs"):
        (folder / name).mkdir(parents=True)
    (root / "data").mkdir()
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    (folder / "data_root.txt").write_text(str(root), encoding="utf-8")
    planned = subprocess.run([program, "study", "plan", folder, "--json"], capture_output=True, text=True, check=True)
    tasks = json.loads(planned.stdout)["tasks"]
    dice = random.Random(1)
    for task in tasks:
        record = {"done": True, "reason": "", "exit": 0, "seconds": 60.0, "memory_mib": 500.0,
                  "result": result_of(task, dice, folder)}
        (folder / "ledger" / f"{task['id']}.json").write_text(json.dumps(record), encoding="utf-8")
    write_searches(folder, tasks)
    return folder, len(tasks)


def processor_seconds(words):
    """What the program printed, and the processor time of all its threads."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return said, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def refuses_a_damaged_card(program, folder):
    planned = subprocess.run([program, "study", "plan", folder, "--json"], capture_output=True, text=True, check=True)
    final = next(task["id"] for task in json.loads(planned.stdout)["tasks"] if task["label"].startswith("final"))
    (folder / "runs" / final).mkdir()
    (folder / "runs" / final / "run.json").write_text('{"model": {"network": 3}}', encoding="utf-8")
    said = subprocess.run([program, "study", "report", folder], capture_output=True, text=True, check=False)
    assert said.returncode == 2, said
    assert "is no description of a network; restore the file or repeat the run" in said.stderr, said.stderr


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--program", required=True)
    options.add_argument("--seconds", type=float, default=3.0)
    options.add_argument("--keep", type=pathlib.Path)
    arguments = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = arguments.keep or pathlib.Path(scratch)
        root.mkdir(exist_ok=True)
        folder, tasks = write_study(arguments.program, root)
        assert tasks == 10 * (10 + 10 + 1 + 2 * 40), f"{tasks} runs"
        for action in ("status", "plan", "tables", "report"):
            said, seconds = processor_seconds([arguments.program, "study", action, folder])
            if action == "status":
                assert f"many: {tasks} runs: {tasks} done, 0 running" in said, said
                assert "\nsearch: 100 runs: 100 done\nquick: 100 runs: 100 done\n" in said, said
            print(f"{action}: {seconds:.2f} s for {tasks} runs")
            assert seconds < arguments.seconds, f"{action} took {seconds:.2f} s of processor time"
        page = (folder / "report.html").stat().st_size
        print(f"report.html: {page / 1e6:.1f} MB")
        assert page < 12e6, f"report.html has {page} bytes"
        refuses_a_damaged_card(arguments.program, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
