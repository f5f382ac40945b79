#!/usr/bin/env python3
"""Prints the table of searches in docs/results.md from run folders.

    tools/search_table.py RUN...

A row a run: errors of the supernet after the last epoch, their gap, the best validation error, the share of layers whose
stable rank is 0 after some epochs, the mean stable rank, which part of the kept edges are skips and pools, and the time.
"Layers" are the convolutions that are not depthwise (a depthwise one takes the value of its pointwise one).
"""

import json
import statistics
import sys
from pathlib import Path


def percent(share):
    return f"{100 * share:.1f} %"


def row(run):
    head = json.loads((run / "run.json").read_text())
    log = run / "epochs.jsonl"
    epochs = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
    if not epochs:
        sys.exit(f"{run}: no epoch is finished yet; wait for one")
    layers = [i for i, layer in enumerate(head["layers"]) if layer["role"] != "depthwise"]

    def ranks(epoch):  # without those whose factorisation failed
        return [rank for rank in (epoch["probe"]["stable_rank"][i] for i in layers) if rank is not None]

    def zeros(epoch):
        return sum(rank <= 0 for rank in ranks(epoch)) / len(ranks(epoch))

    def shares(kind):
        return ", ".join(f"{100 * epochs[-1]['collapse'][cell][kind]:.0f}" for cell in ("normal", "reduce"))

    last = epochs[-1]
    best = min(epochs, key=lambda epoch: epoch["valid"]["error"])
    looked_at = [n for n in (1, 10, 25) if n < len(epochs)] + [len(epochs)]
    rate = f"{head['config']['optimizer']} {head['config']['lr']:g}"
    cells = [
        f"{Path(head['config']['data']).name}, {rate}",
        f"{len(epochs)}",
        percent(last["train"]["error"]),
        percent(last["valid"]["error"]),
        f"{100 * (last['valid']['error'] - last['train']['error']):.1f}",
        f"{percent(best['valid']['error'])} ({best['epoch'] + 1})",
        f"{', '.join(f'{100 * zeros(epochs[n - 1]):.0f}' for n in looked_at)} % ({', '.join(map(str, looked_at))})",
        f"{statistics.mean(ranks(last)):.4f}",
        f"{shares('skip_share')} %",
        f"{shares('pool_share')} %",
        f"{sum(epoch['seconds']['total'] for epoch in epochs):.0f} s",
    ]
    return "| " + " | ".join(cells) + " |"


def main():
    runs = [Path(argument) for argument in sys.argv[1:]]
    if not runs or any(not (run / "run.json").is_file() for run in runs):
        sys.exit(__doc__)
    print(
        "| search | epochs | train error | valid error | gap, points | best valid error (epoch) "
        "| layers of zero stable rank (after epoch) | mean stable rank | skips kept, normal and reduction | pools kept | time |"
    )
    print("|" + "---|" * 11)
    for run in runs:
        print(row(run))


if __name__ == "__main__":
    main()
