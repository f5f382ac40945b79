#!/usr/bin/env python3
"""Times probedarts beside its peers on this machine and writes docs/performance.md's tables.

    tools/run_bench.py PROGRAM [--peers FOLDER] [--out FILE.json] [--rounds 3]

PROGRAM is build/release/probedarts. FOLDER holds torch_darts.py (eager PyTorch, run by /usr/bin/python3) and
ort_infer.js (ONNX Runtime; needs npm). Without them the peers' columns stay empty. Program and peers take turns, `rounds`
times; each turn is a process of its own that times five steps; what counts is the median over all turns. Wants an
otherwise idle machine. The tables go between the markers of docs/performance.md, everything measured into FILE.json.
"""

import argparse
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from roofline import roofline_svg

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
PYTHON = "/usr/bin/python3"  # Debian's, which sees python3-torch
STEPS = 5

CIFAR = ["--stem", "cifar", "--channels", "16", "--cells", "8", "--nodes", "4", "--size", "32"]
PATHOLOGY = ["--stem", "pathology", "--channels", "16", "--cells", "4", "--nodes", "4", "--size", "64"]
DERIVED = ["--genotype", "n4", "--stem", "pathology", "--channels", "36", "--cells", "4", "--classes", "33"]

# (name, task, options)
ROWS = [
    ("search step, first order; CIFAR stem, C 16, L 8, N 4, 32 px, batch 64", "search-step", CIFAR + ["--batch", "64"]),
    ("search step, second order; the same, batch 16", "search-step", CIFAR + ["--batch", "16", "--order", "2"]),
    ("search step, first order; pathology stem, C 16, L 4, N 4, 64 px, batch 32", "search-step",
     PATHOLOGY + ["--batch", "32"]),
    ("training step; DARTS_ADP_N4, C 36, L 4, 136 px, batch 16", "train-step", DERIVED + ["--size", "136", "--batch", "16"]),
    ("training step; DARTS_ADP_N4, C 36, L 4, 272 px, batch 8", "train-step", DERIVED + ["--size", "272", "--batch", "8"]),
    ("training step; the same, 136 px, batch 96", "train-step", DERIVED + ["--size", "136", "--batch", "96"]),
    ("training step; the same, 272 px, batch 96", "train-step", DERIVED + ["--size", "272", "--batch", "96"]),
]
COMPOSED = [
    ("CIFAR stem, C 16, L 8, N 4, 32 px, batch 16", CIFAR + ["--batch", "16"]),
    ("pathology stem, C 16, L 4, N 4, 64 px, batch 32", PATHOLOGY + ["--batch", "32"]),
]
INFERENCE = ["n2", "n3", "n4"]

# What somebody set to make an old OpenBLAS run here would slow both sides.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
# PyTorch as it comes gives the memory of every large tensor back and faults it in anew. With these glibc keeps it, which
# is what our program does by itself: a user who knows of them has a faster PyTorch, where page faults are dear.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 36), "MALLOC_TOP_PAD_": str(1 << 28)}

# Where the time of a step goes: the first pattern that a symbol matches.
PARTS = [
    ("blocks forward (depthwise, pointwise, moments)", r"ForwardAtStride|block_forward"),
    ("blocks backward", r"BackwardAtStride|block_backward"),
    ("depthwise taps of the blocks, forward and backward", r"tap_channels|phase_taps"),
    ("products forward (cell inputs, reduces, stem)", r"gathered_forward"),
    ("products backward", r"gathered_backward|scatter"),
    ("gathering their tiles, patches of the images", r"gather|load_patches|\btile_of"),
    ("weighted sums into nodes", r"mix_of"),
    ("sums of gradients", r"sum_products"),
    ("pools, forward and backward", r"pool_|max_row|average_row"),
    ("ReLU copies and masks", r"rectify|positive|mask_and_sum"),
    ("zeroing", r"memset|fill"),
    ("packing weights, unpacking gradients", r"pack"),
    ("BN coefficients", r"settle|moments|add_tile_of"),
    ("waiting for the other thread", r"ThreadPool|pthread|futex|sched"),
]


def last_json(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT | more)
    if done.returncode != 0:
        sys.exit(f"run_bench: {' '.join(map(str, command))} ended with {done.returncode}:\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


# From the first value to the last the work grows by `times`; a slope of 1 on log axes is linear growth.
GROWTH = [
    ("images in the batch", "--batch", [8, 16, 32, 64], 8.0),
    ("pixels (side 16 to 64 px)", "--size", [16, 32, 64], 16.0),
    ("edges (2 to 6 nodes: 5 to 27 edges)", "--nodes", [2, 4, 6], 27 / 5),
]


def summary(turns):
    seconds = [second for turn in turns for second in turn["all"]]
    return {"median": statistics.median(seconds), "least": min(seconds), "most": max(seconds), "count": len(seconds),
            "peak_rss_mib": max(turn["peak_rss_mib"] for turn in turns),
            "gflops": turns[0].get("gflops", 0) * turns[0]["seconds"] / statistics.median(seconds)}


class Bench:
    def __init__(self, program, peers, rounds):
        self.program = program
        self.peer = peers / "torch_darts.py" if peers and (peers / "torch_darts.py").exists() else None
        self.ort = peers / "ort_infer.js" if peers and (peers / "ort_infer.js").exists() and shutil.which("npm") else None
        self.rounds = rounds

    def step(self, task, options, threads=2, executor="auto", peer_environment={}):
        more = ["--threads", str(threads), "--steps", str(STEPS)]
        contenders = {"probedarts": [self.program, "bench", "step", task, *options, *more, "--executor", executor]}
        if self.peer and threads == 2:
            contenders["pytorch"] = [PYTHON, self.peer, task, *options, *more]
            contenders["pytorch, channels-last"] = contenders["pytorch"] + ["--channels-last"]
        taken = {name: [] for name in contenders}
        for _ in range(self.rounds):
            for name, command in contenders.items():
                taken[name] += last_json(command, **(peer_environment if name.startswith("pytorch") else {}))
        return {name: summary(found) for name, found in taken.items()}

    def growth(self):
        rows = []
        for name, option, values, times in GROWTH:
            seconds = []
            for value in values:
                options = {"--stem": "cifar", "--channels": 16, "--cells": 4, "--nodes": 4, "--size": 32, "--batch": 16, option: value}
                words = [str(word) for pair in options.items() for word in pair]
                seconds.append(self.step("search-step", words, threads=1)["probedarts"]["least"])
            rows.append((name, seconds, math.log(seconds[-1] / seconds[0]) / math.log(times)))
        return rows

    def profile(self, task, options, steps):
        """Shares of processor time by part, from Linux perf; nothing where there is none. `steps` are enough for the start
        of the program to be a small share, of which what can be told apart is left out."""
        if not shutil.which("perf"):
            return []
        with tempfile.TemporaryDirectory() as folder:
            data = f"{folder}/perf.data"
            command = [self.program, "bench", "step", task, *options, "--threads", "2", "--steps"]
            subprocess.run(["perf", "record", "-q", "-o", data, *command, str(steps)], capture_output=True, check=True)
            report = subprocess.run(["perf", "report", "-i", data, "--stdio", "--sort", "dso,symbol"], capture_output=True, text=True)
        shares = {}
        for line in report.stdout.splitlines():
            found = re.match(r"\s*([0-9.]+)%\s+(\S+)\s+\[.\]\s+(.*)", line)
            if not found or found[2].startswith("ld-linux") or "libc10" in found[2]:
                continue  # loading LibTorch is no part of a step
            if re.search(r"clear_page|_fault|folio|alloc_pages|get_page|vma_|DispatchKey|OperatorEntry|Dispatcher", found[3]):
                continue  # nor is the first touch of memory, nor the registration of LibTorch's operators
            part = next((name for name, pattern in PARTS if re.search(pattern, found[3])), "other (LibTorch, optimisers, loss)")
            shares[part] = shares.get(part, 0.0) + float(found[1])
        whole = sum(shares.values())
        return sorted(((name, 100 * share / whole) for name, share in shares.items()), key=lambda row: -row[1])

    def profiles(self):
        return [("search step, CIFAR", self.profile(*ROWS[0][1:], steps=10)),
                ("search step, pathology", self.profile(*ROWS[2][1:], steps=100)),
                ("training step, 136 px", self.profile(*ROWS[3][1:], steps=150))]

    def kept(self):
        return [(name, self.step(task, options, peer_environment=KEEP_MEMORY)) for name, task, options in ROWS]

    def composed(self):
        return [(name, self.step("search-step", options, executor="composed")) for name, options in COMPOSED]

    def inference(self):
        with tempfile.TemporaryDirectory() as folder:
            return self.onnx(folder)

    def onnx(self, folder):
        """ms per image by genotype, threads and batch: the median over the turns, ours beside ONNX Runtime's."""
        if self.ort:
            subprocess.run(["npm", "install", "--ignore-scripts", "--silent", "--prefix", folder, "onnxruntime-node"], check=True)
        rows = []
        for genotype in INFERENCE:
            found = {}
            model = Path(folder) / f"{genotype}.onnx"
            options = ["--genotype", genotype, *DERIVED[2:], "--size", "272"]
            if self.ort:
                last_json([PYTHON, self.peer, "export-onnx", *options, "--out", model])
            for _ in range(self.rounds):
                for threads, batch in ((1, 1), (2, 16)):
                    turn = last_json([self.program, "bench", "step", "infer", *options, "--batch", str(batch), "--threads",
                                      str(threads), "--steps", "9"])[0]
                    found.setdefault(("probedarts", threads, batch), []).append(turn["seconds"] * 1e3 / batch)
                if self.ort:
                    for turn in last_json(["node", self.ort, model, "272"], NODE_PATH=f"{folder}/node_modules"):
                        found.setdefault(("onnx", turn["threads"], turn["batch"]), []).append(turn["ms_per_image"])
            rows.append({"genotype": genotype,
                         "ms_per_image": {" ".join(map(str, key)): statistics.median(ms) for key, ms in found.items()}})
        return rows


def step_table(rows, peak):
    lines = ["| work | probedarts | PyTorch, better of two memory formats | ratio | GFLOP/s | % of FMA peak | memory, MiB |",
             "|---|---|---|---|---|---|---|"]
    for name, result in rows:
        ours = result["probedarts"]
        peers = [result[key] for key in result if key.startswith("pytorch")]
        best = min(peers, key=lambda peer: peer["median"]) if peers else None
        lines.append(
            f"| {name} | {ours['median']:.4f} s ({ours['least']:.4f}-{ours['most']:.4f}) | "
            + (f"{best['median']:.3f} s ({best['least']:.3f}-{best['most']:.3f}) | {best['median'] / ours['median']:.1f} | "
               if best else "- | - | ")
            + f"{ours['gflops']:.0f} | {100 * ours['gflops'] / peak:.0f} | {ours['peak_rss_mib']:.0f}"
            + (f" against {min(peer['peak_rss_mib'] for peer in peers):.0f} |" if peers else " |"))
    return lines


def pair_table(head, rows, cells):
    """A line a row; `cells` makes the last ones of our median and the better peer's, "-" where there is none."""
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    for name, result in rows:
        ours = result["probedarts"]["median"]
        best = min((result[key]["median"] for key in result if key.startswith("pytorch")), default=None)
        lines.append(f"| {name} | {ours:.4f} s | " + (f"{best:.3f} s | {cells(ours, best)} |" if best else "- | - |"))
    return lines


def kept_table(rows):
    return pair_table("| work | probedarts | PyTorch that keeps its memory, better of two | ratio |", rows,
                      lambda ours, best: f"{best / ours:.1f}")


def composed_table(rows):
    return pair_table("| first-order search step | composed | PyTorch, better of two | composed / PyTorch |", rows,
                      lambda ours, best: f"{ours / best:.2f}")


def inference_table(rows):
    lines = ["| network, 272 px | probedarts, 1 thread, batch 1 | ONNX Runtime, same | ratio | probedarts, 2 threads, batch 16 "
             "| ONNX Runtime, best setting | ratio |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        ms = row["ms_per_image"]
        one, two = ms["probedarts 1 1"], ms["probedarts 2 16"]
        onnx_one = ms.get("onnx 1 1")
        onnx_best = min((value for key, value in ms.items() if key.startswith("onnx")), default=None)
        cell = lambda value: f"{value:.2f} ms" if value else "-"
        ratio = lambda peer, ours: f"{peer / ours:.2f}" if peer else "-"
        lines.append(f"| DARTS_ADP_{row['genotype'].upper()} | {cell(one)} | {cell(onnx_one)} | {ratio(onnx_one, one)} | "
                     f"{cell(two)} | {cell(onnx_best)} | {ratio(onnx_best, two)} |")
    return lines


def growth_table(rows):
    lines = ["| what grows | seconds of a step, one thread | slope on log axes |", "|---|---|---|"]
    return lines + [f"| {name} | {', '.join(f'{second:.3f}' for second in seconds)} | {slope:.2f} |" for name, seconds, slope in rows]


def profile_table(columns):
    lines = ["| part | " + " | ".join(name for name, _ in columns) + " |", "|---|" + "---|" * len(columns)]
    parts = sorted({part for _, rows in columns for part, _ in rows}, key=lambda part: -max(dict(rows).get(part, 0) for _, rows in columns))
    for part in parts:
        lines.append(f"| {part} | " + " | ".join(f"{dict(rows).get(part, 0):.0f} %" for _, rows in columns) + " |")
    return lines


def kernel_table(machine):
    lines = ["| kernel, one thread | shape | us | GFLOP/s | % of FMA peak | GB/s |", "|---|---|---|---|---|---|"]
    for kernel in machine["kernels"]:
        lines.append(f"| {kernel['kernel']} | {kernel['shape']} | {kernel['microseconds']:.1f} | {kernel['gflops']:.0f} | "
                     f"{kernel['percent_of_peak']:.0f} | {kernel['gbytes']:.1f} |")
    return lines


def turns_text(rounds):
    return "one turn" if rounds == 1 else f"{rounds} turns"


def put(page, marker, lines):
    begin, end = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if not pattern.search(page):
        sys.exit(f"run_bench: {PAGE} has no place for '{marker}'")
    return pattern.sub(lambda _: "\n".join([begin, "", *lines, "", end]), page)


# Tables that can be measured by themselves.
TABLES = {"inference": (inference_table, Bench.inference), "composed": (composed_table, Bench.composed),
          "kept": (kept_table, Bench.kept), "profile": (profile_table, Bench.profiles)}


def renew(bench, tables):
    """Measures some tables again, and says below each with which commit."""
    commit = subprocess.run([bench.program, "--version"], capture_output=True, text=True, check=True).stdout.split("(")[1].rstrip(")\n")
    page = PAGE.read_text()
    for table in tables:
        make, measure = TABLES[table]
        lines = make(measure(bench))
        page = put(page, table, [*lines, "", f"Measured by itself (`--only {table}`) with commit {commit}, {turns_text(bench.rounds)}."])
        print("\n".join(lines))
    PAGE.write_text(page)


def main():
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("program", type=Path)
    cli.add_argument("--peers", type=Path, default=ROOT.parent / "shared" / "peers")
    cli.add_argument("--out", type=Path, default=ROOT / "build" / "bench.json")
    cli.add_argument("--rounds", type=int, default=3)
    cli.add_argument("--only", nargs="+", choices=sorted(TABLES), default=[],
                     help="measure these tables alone, and leave the rest of the page as it is")
    arguments = cli.parse_args()
    bench = Bench(arguments.program.resolve(), arguments.peers.resolve(), arguments.rounds)
    if arguments.only:
        renew(bench, arguments.only)
        return
    whole = subprocess.run([bench.program, "bench", "--json", "--steps", "3"], capture_output=True, text=True, check=True)
    machine = json.loads(whole.stdout)
    steps = [(name, bench.step(task, options)) for name, task, options in ROWS]
    composed = bench.composed()
    one_thread = bench.step(ROWS[0][1], ROWS[0][2], threads=1)["probedarts"]
    inference = bench.inference()
    growth = bench.growth()
    kept = bench.kept()
    profiles = bench.profiles()
    two_threads = steps[0][1]["probedarts"]["median"]
    facts = [
        f"Measured with commit {machine['commit']} on {machine['cpu']}, {machine['threads']} threads, {machine['simd_target']}: "
        f"{machine['fma_gflops']:.0f} GFLOP/s of multiply-adds on registers ({machine['fma_gflops_one_thread']:.0f} on one thread), "
        f"{machine['bandwidth_gbytes']:.1f} GB/s (triad). Medians of {STEPS * arguments.rounds} steps in {turns_text(arguments.rounds)}, "
        "least and most in brackets.",
        "",
        f"From one thread to two, first row: {one_thread['median']:.3f} s to {two_threads:.3f} s, "
        f"{one_thread['median'] / two_threads:.2f} times as fast."]
    page = PAGE.read_text()
    page = put(page, "facts", facts)
    page = put(page, "steps", step_table(steps, machine["fma_gflops"]))
    page = put(page, "inference", inference_table(inference))
    page = put(page, "growth", growth_table(growth))
    page = put(page, "kept", kept_table(kept))
    page = put(page, "composed", composed_table(composed))
    page = put(page, "profile", profile_table(profiles))
    page = put(page, "kernels", kernel_table(machine))
    (ROOT / "docs" / "roofline.svg").write_text(roofline_svg(machine))
    PAGE.write_text(page)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"machine": machine, "steps": steps, "one_thread": one_thread, "growth": growth, "composed": composed, "kept": kept, "inference": inference, "profiles": profiles},
                                        indent=1))
    print("\n".join(facts + step_table(steps, machine["fma_gflops"]) + inference_table(inference) + composed_table(composed)))


if __name__ == "__main__":
    main()
