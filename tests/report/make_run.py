#!/usr/bin/env python3
"""Writes a run folder that looks like a search or a training, without either: fixtures for the report.

    make_run.py OUT [--optimizer sgd|adas] [--lr 0.025] [--epochs 50] [--cells 4] [--nodes 4]
                    [--kind search|train] [--labels single|multi] [--stem pathology|cifar] [--seed 1] [--name NAME]

The numbers are invented (seeded, with the shape of real curves); the format is that of docs/run-folder.md.
"""
import argparse
import json
import math
import os
import random

PRIMITIVES = ["none", "max_pool_3x3", "avg_pool_3x3", "skip_connect",
              "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"]
PARAMETER_FREE = {"none", "max_pool_3x3", "avg_pool_3x3", "skip_connect"}
POOLS = {"max_pool_3x3", "avg_pool_3x3"}
KINDS = ["normal", "reduce"]


def layer(name, role, shape, cell=None, kind=None, edge=None, ends=(None, None), primitive=None,
          position=None):
    return {"name": name, "cell": cell, "cell_kind": kind, "edge": edge, "from": ends[0], "to": ends[1],
            "primitive": primitive, "position": position, "role": role, "shape": shape}


def edge_ends(nodes):
    return [(j, 2 + i) for i in range(nodes) for j in range(2 + i)]


def edge_layers(prefix, cell, kind, edge, ends, channels):
    here = dict(cell=cell, kind=kind, edge=edge, ends=ends)
    if kind == "reduce" and ends[0] < 2:
        for conv in ("conv_1", "conv_2"):
            yield layer(f"{prefix}._ops.3.{conv}.weight", "reduce", [channels // 2, channels, 1, 1],
                        primitive="skip_connect", **here)
    for index, primitive in enumerate(PRIMITIVES):
        kernel = 5 if primitive.endswith("5x5") else 3
        blocks = {"sep": [(1, 2), (5, 6)], "dil": [(1, 2)]}.get(primitive[:3], [])
        for position, (depthwise, pointwise) in enumerate(blocks):
            yield layer(f"{prefix}._ops.{index}.op.{depthwise}.weight", "depthwise",
                        [channels, 1, kernel, kernel], primitive=primitive, position=position, **here)
            yield layer(f"{prefix}._ops.{index}.op.{pointwise}.weight", "pointwise",
                        [channels, channels, 1, 1], primitive=primitive, position=position, **here)


def derived_layers(layers, kept):
    """What derivation leaves of a supernet's layers; edges are numbered anew, two a node."""
    derived = []
    for what in layers:
        if what["edge"] is None:
            derived.append(what)
            continue
        genes = kept[what["cell_kind"]]
        for number, (edge, primitive) in enumerate(genes):
            if (edge, PRIMITIVES[primitive]) == (what["edge"], what["primitive"]):
                derived.append({**what, "edge": number})
    return derived


def network_layers(cells, nodes, stem, channels=16):
    layers = [layer("stem.0.weight", "stem", [3 * channels, 3, 3, 3])]
    if stem == "pathology":
        layers = [layer("stem0.0.weight", "stem", [channels // 2, 3, 3, 3]),
                  layer("stem1.0.weight", "stem", [channels, channels // 2, 3, 3])]
    after_reduction = False
    for cell in range(cells):
        reduction = cell in (cells // 3, 2 * cells // 3)
        channels *= 2 if reduction else 1
        kind = KINDS[reduction]
        for side in (0, 1):
            convs = ["conv_1", "conv_2"] if side == 0 and after_reduction else ["op.1"]
            for conv in convs:
                layers.append(layer(f"cells.{cell}.preprocess{side}.{conv}.weight",
                                    "reduce" if len(convs) == 2 else "preprocess",
                                    [channels // len(convs), channels, 1, 1], cell, kind))
        for edge, ends in enumerate(edge_ends(nodes)):
            layers += edge_layers(f"cells.{cell}._ops.{edge}", cell, kind, edge, ends, channels)
        after_reduction = reduction
    return layers


def softmax(row):
    top = max(row)
    weights = [math.exp(v - top) for v in row]
    return [w / sum(weights) for w in weights]


def kept_edges(weights, nodes):
    """Two in-edges a node, by their strongest primitive other than none: [(edge, primitive)]."""
    kept, first = [], 0
    for i in range(nodes):
        strongest = [(max((w, -p) for p, w in enumerate(weights[e]) if p > 0), e)
                     for e in range(first, first + 2 + i)]
        strongest.sort(key=lambda s: (-s[0][0], s[1]))
        kept += [(e, -best[1]) for best, e in strongest[:2]]
        first += 2 + i
    return kept


def collapse(weights, nodes):
    names = [PRIMITIVES[p] for _, p in kept_edges(weights, nodes)]
    tops = [sorted(row[1:], reverse=True) for row in weights]
    share = lambda group: sum(n in group for n in names) / len(names)
    return {"parameter_free_share": share(PARAMETER_FREE), "skip_share": share({"skip_connect"}),
            "pool_share": share(POOLS),
            "entropy": sum(-sum(w * math.log(w) for w in row) for row in weights) / len(weights),
            "margin": sum(t[0] - t[1] for t in tops) / len(tops)}


def genotype(weights, nodes, ends):
    cells, text = {}, []
    for kind in KINDS:
        genes = [[PRIMITIVES[p], ends[e][0]] for e, p in kept_edges(weights[kind], nodes)]
        cells[kind] = {"genes": genes, "concat": list(range(2, 2 + nodes))}
        pairs = ", ".join(f"('{name}', {state})" for name, state in genes)
        text.append(f"{kind}=[{pairs}], {kind}_concat=range(2, {2 + nodes})")
    return cells, f"Genotype({', '.join(text)})"


class Search:
    """Invented dynamics: architecture logits drift, layers wake up one by one, Adas follows their stable rank."""

    def __init__(self, options, layers):
        self.options, self.layers = options, layers
        self.ends = edge_ends(options.nodes)
        draw = self.random = random.Random(options.seed)
        speed = {"sgd": options.lr / 0.1, "adas": 1.5}[options.optimizer]
        taste = {"max_pool_3x3": 1.0, "skip_connect": 0.8} if speed < 1 else {"sep_conv_3x3": 0.7,
                                                                              "max_pool_3x3": 0.5}
        self.drift = {kind: [[(taste.get(p, 0.0) + draw.gauss(0, 0.5)) / 40 for p in PRIMITIVES]
                             for _ in self.ends] for kind in KINDS}
        self.first = {kind: [[draw.gauss(0, 0.02) for _ in PRIMITIVES] for _ in self.ends] for kind in KINDS}
        self.alpha = {kind: [[draw.gauss(0, 1e-3) for _ in PRIMITIVES] for _ in self.ends] for kind in KINDS}
        self.wake = [draw.expovariate(speed / 12) for _ in layers]
        self.top = [0.02 + 0.35 * draw.random() * min(1.0, 0.4 + speed / 3) for _ in layers]
        self.velocity = [options.lr] * len(layers)
        self.before = [0.0] * len(layers)

    def probe(self, epoch):
        draw = self.random
        series = {k: [] for k in ("stable_rank", "stable_rank_in", "stable_rank_out", "rank_in", "rank_out",
                                  "condition_in", "condition_out")}
        for i, what in enumerate(self.layers):
            if what["role"] == "depthwise":
                continue
            grown = max(0.0, 1 - math.exp(-(epoch - self.wake[i]) / 9)) if epoch > self.wake[i] else 0.0
            sides = [grown * self.top[i] * (1 + 0.02 * draw.gauss(0, 1)) for _ in range(2)]
            ranks = [min(1.0, s * 1.6) for s in sides]
            conditions = [1 + 4 * s + 12 * s * s if s > 0 else 0.0 for s in sides]
            copies = 2 if i > 0 and self.layers[i - 1]["role"] == "depthwise" else 1
            for key, value in (("stable_rank", sum(sides) / 2), ("stable_rank_in", sides[0]),
                               ("stable_rank_out", sides[1]), ("rank_in", ranks[0]), ("rank_out", ranks[1]),
                               ("condition_in", conditions[0]), ("condition_out", conditions[1])):
                series[key] += [value] * copies
        series["failed"] = []
        if epoch == 7:  # one layer whose factorisation failed
            last = len(self.layers) - 1
            for key in series:
                if key != "failed":
                    series[key][last] = None
            series["failed"] = [last]
        return series

    def rates(self, epoch, stable_rank):
        o = self.options
        schedule = o.lr if o.optimizer == "adas" else 0.001 + (o.lr - 0.001) * (
            1 + math.cos(math.pi * epoch / o.epochs)) / 2
        if o.optimizer == "sgd":
            return {"schedule": schedule, "layers": [schedule] * len(self.layers)}
        used = list(self.velocity)
        for i, now in enumerate(stable_rank):
            if now:
                gain = now - self.before[i]
                self.velocity[i] = max(0.95 * self.velocity[i] + 0.5 * gain, 0.0)
                self.before[i] = now
        return {"schedule": schedule, "layers": used}

    def errors(self, epoch):
        o, draw = self.options, self.random
        scale = 0.35 if o.labels == "multi" else 1.0
        quick = 7 if o.optimizer == "adas" else 10 / (o.lr / 0.05) ** 0.5
        overfit = {"adas": 0.10}.get(o.optimizer, min(0.3, o.lr * 1.4))
        fall = math.exp(-epoch / quick)
        train = scale * (0.02 + 0.5 * fall + (0.25 - overfit) * 0.6 + 0.008 * draw.gauss(0, 1))
        valid = train + scale * (overfit * (1 - math.exp(-epoch / 12)) + 0.015 * abs(draw.gauss(0, 1)))
        return train, valid

    def epoch(self, epoch):
        o, draw = self.options, self.random
        for kind in KINDS:
            drifts = self.first[kind] if epoch < 8 else self.drift[kind]  # undecided first, then taste
            for row, drift in zip(self.alpha[kind], drifts):
                for p in range(len(PRIMITIVES)):
                    row[p] += drift[p] + 0.004 * draw.gauss(0, 1)
        weights = {kind: [softmax(row) for row in self.alpha[kind]] for kind in KINDS}
        cells, text = genotype(weights, o.nodes, self.ends)
        probe = self.probe(epoch)
        train, valid = self.errors(epoch)
        parts = {"search": 27 + draw.random(), "valid": 2.4, "probe": 0.11, "checkpoint": 0.08, "data_wait": 0.02}
        line = {"epoch": epoch,
                "train": {"loss": 2.1 * train, "error": train, "images": 758},
                "valid": {"loss": 2.3 * valid, "error": valid, "images": 759},
                "lr": self.rates(epoch, probe["stable_rank"]),
                "alpha_softmax": weights, "probe": probe,
                "collapse": {kind: collapse(weights[kind], o.nodes) for kind in KINDS},
                "genotype": cells, "genotype_text": text,
                "seconds": {"total": sum(parts.values()) + 0.3, **parts}}
        if o.kind == "train":
            for key in ("alpha_softmax", "collapse", "genotype", "genotype_text"):
                del line[key]
            line["seconds"] = {"train" if k == "search" else k: v for k, v in line["seconds"].items()}
        return line


def head(options, layers):
    multi = options.labels == "multi"
    classes = ["epithelial", "fibroblast", "inflammatory", "other"] if multi else [
        "non_tumor", "non_viable_tumor", "viable_tumor"]
    config = {"preset": options.stem, "data": "data/tiles", "out": f"runs/{options.name}",
              "optimizer": options.optimizer, "lr": options.lr, "epochs": options.epochs, "batch": 32,
              "channels": 16, "cells": options.cells, "nodes": options.nodes, "size": 64, "order": 1,
              "momentum": 0.9, "weight-decay": 3e-4, "alpha-lr": 3e-4, "grad-clip": 5.0, "seed": options.seed}
    if options.optimizer == "adas":
        config.update({"adas-beta": 0.98, "adas-zeta": 1.0})
    command = " ".join(f"--{k} {v}" for k, v in config.items() if k not in ("data",))
    return {"format": "probedarts-run", "format_version": 1, "kind": options.kind, "name": options.name,
            "created": "2026-01-05T08:30:00Z", "version": "0.1.0", "commit": "0123456789ab", "libtorch": "1.13.1",
            "machine": {"cpu": "Example CPU", "cores": 2, "memory_gib": 23.5, "os": "Linux 6.1"},
            "command": f"probedarts {options.kind} data/tiles {command}",
            "threads": 2, "executor": "composed", "dtype": "float32", "seed": options.seed, "config": config,
            "data": {"path": "data/tiles", "fingerprint": "00112233445566778899aabbccddeeff",
                     "labels": options.labels, "classes": classes,
                     "images": {"train": 1517, "valid": 349, "test": 575},
                     "search_train": 758, "search_valid": 759,
                     "mean": [0.7, 0.6, 0.7], "sd": [0.2, 0.2, 0.2]},
            "parameters": sum(math.prod(l["shape"]) for l in layers), "layers": layers}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--optimizer", choices=["sgd", "adas"], default="sgd")
    parser.add_argument("--lr", type=float, default=0.025)
    parser.add_argument("--epochs", type=int, default=50, help="epochs asked for")
    parser.add_argument("--done", type=int, help="epochs finished (default: all)")
    parser.add_argument("--cells", type=int, default=4)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--kind", choices=["search", "train"], default="search")
    parser.add_argument("--labels", choices=["single", "multi"], default="single")
    parser.add_argument("--stem", choices=["pathology", "cifar"], default="pathology")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name")
    options = parser.parse_args()
    options.name = options.name or os.path.basename(os.path.normpath(options.out))
    layers = network_layers(options.cells, options.nodes, options.stem)
    model = {}
    if options.kind == "train":
        draw = random.Random(options.seed)
        ends = edge_ends(options.nodes)
        weights = {kind: [softmax([draw.gauss(0, 1) for _ in PRIMITIVES]) for _ in ends] for kind in KINDS}
        layers = derived_layers(layers, {kind: kept_edges(weights[kind], options.nodes) for kind in KINDS})
        model = {"model": {"network": {"name": "cells", "genotype": genotype(weights, options.nodes, ends)[0]}}}
    search = Search(options, layers)
    os.makedirs(options.out)
    with open(os.path.join(options.out, "run.json"), "w", encoding="utf-8") as file:
        json.dump({**head(options, layers), **model}, file, indent=1)
    with open(os.path.join(options.out, "epochs.jsonl"), "w", encoding="utf-8") as file:
        for epoch in range(options.epochs if options.done is None else options.done):
            file.write(json.dumps(search.epoch(epoch)) + "\n")


if __name__ == "__main__":
    main()
