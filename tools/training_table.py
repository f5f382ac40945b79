#!/usr/bin/env python3
"""Prints the tables of trained networks in docs/results.md from what tools/run_trainings.sh left.

    tools/training_table.py OUT_FOLDER

One table a data set, one row a network: parameters and multiply-adds (`count`), test accuracy of the best weights as
mean and standard deviation (n - 1) over the seeds with Student's 95 % interval of the mean, the widest bootstrap interval
of a single run (over images, or over groups where the data name them), and images a second of `evaluate`.
"""

import json
import statistics
import sys
from pathlib import Path

# Student's t, 97.5 %, for n - 1 = 1 to 9 degrees of freedom.
STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]


def read(path):
    return json.loads(path.read_text())


def row(folder):
    count = read(folder / "count.json")
    runs = sorted(path.parent for path in folder.glob("seed-*/evaluation.json"))
    tests = [read(run / "evaluation.json")["evaluations"][0] for run in runs]
    epochs = [[json.loads(line) for line in (run / "epochs.jsonl").read_text().splitlines()] for run in runs]
    measures = [test["measures"] for test in tests]
    accuracy = [100 * measure["accuracy"]["value"] for measure in measures]
    mean = statistics.mean(accuracy)
    spread = statistics.stdev(accuracy) if len(accuracy) > 1 else 0.0
    reach = STUDENT[len(accuracy) - 2] * spread / len(accuracy) ** 0.5 if len(accuracy) > 1 else float("nan")
    widest = max((measure["accuracy"] for measure in measures), key=lambda entry: entry["high"] - entry["low"])
    best_valid = statistics.mean(100 * (1 - min(line["valid"]["error"] for line in run)) for run in epochs)
    train = statistics.mean(100 * (1 - run[-1]["train"]["error"]) for run in epochs)
    cells = [
        folder.name,
        str(len(runs)),
        f"{count['parameters'] / 1e6:.2f}",
        f"{count['macs'] / 1e6:.1f}",
        f"{train:.1f}",
        f"{best_valid:.1f}",
        f"**{mean:.1f}** ± {spread:.1f}" if len(runs) > 1 else f"**{mean:.1f}**",
        f"{mean - reach:.1f} to {mean + reach:.1f}" if len(runs) > 1 else "-",
        f"{100 * widest['low']:.1f} to {100 * widest['high']:.1f}",
    ]
    second = next((key for key in ("jaccard", "f1_macro") if key in measures[0]), None)
    values = [100 * measure[second]["value"] for measure in measures] if second else []
    cells.append(f"{statistics.mean(values):.1f}" if values else "-")
    cells.append(f"{statistics.median(test['images_per_second'] for test in tests):.0f}")
    return mean, second, tests[0], max(len(run) for run in epochs), cells


def main():
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    for data in sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir()):
        rows = [row(folder) for folder in sorted(data.iterdir()) if any(folder.glob("seed-*/evaluation.json"))]
        if not rows:
            continue
        rows.sort(key=lambda entry: -entry[0])
        _, second, test, epochs, _ = rows[0]
        groups = f" in {test['groups']} groups" if test["groups"] else ""
        print(f"`{data.name}`: {epochs} epochs, {test['images']} test images{groups}.\n")
        print(f"| network | seeds | parameters, M | MACs, M | train accuracy, last epoch | best valid accuracy | test accuracy, % | 95 % interval of the mean "
              f"| widest 95 % interval of one run | {second or 'second measure'}, % | images/s |")
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        for entry in rows:
            print("| " + " | ".join(entry[-1]) + " |")
        print()


if __name__ == "__main__":
    main()
