#!/usr/bin/env python3
"""Writes torchvision.json beside this file: what torchvision's networks are made of and what they answer.

    python3 make_torchvision.py        (needs python3-torch and python3-torchvision; the tests do not)

For each network the names and shapes of its state dict in order, and the logits (float64, evaluation mode) of two images.
Weights and images are functions of a tensor's name and of an element's index (`number`), which the test repeats.
"""
import json
import math
import os
import zlib

import numpy
import torch
import torchvision

SIZE = 64
CLASSES = 7
NETWORKS = {
    "resnet18": lambda: torchvision.models.resnet18(num_classes=CLASSES),
    "mobilenet_v2": lambda: torchvision.models.mobilenet_v2(num_classes=CLASSES),
    "mobilenet_v2_035": lambda: torchvision.models.mobilenet_v2(num_classes=CLASSES, width_mult=0.35),
    "mobilenet_v3_large": lambda: torchvision.models.mobilenet_v3_large(num_classes=CLASSES),
    "mobilenet_v3_small": lambda: torchvision.models.mobilenet_v3_small(num_classes=CLASSES),
    "shufflenet_v2_x1_0": lambda: torchvision.models.shufflenet_v2_x1_0(num_classes=CLASSES),
}


def number(name, count):
    """In [0, 1): a hash (the finaliser of MurmurHash3) of the name's CRC-32 and the index."""
    mask = numpy.uint64(0xFFFFFFFF)
    h = (numpy.arange(count, dtype=numpy.uint64) * numpy.uint64(0x9E3779B1) +
         numpy.uint64(zlib.crc32(name.encode()))) & mask
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h ^= h >> numpy.uint64(shift)
        h = (h * numpy.uint64(factor)) & mask
    h ^= h >> numpy.uint64(16)
    return h.astype(numpy.float64) / 2.0**32


def value(name, tensor):
    u = number(name, tensor.numel())
    if name.endswith("running_var") or (name.endswith("weight") and tensor.dim() == 1):
        u = 0.5 + u
    elif name.endswith("weight"):  # of a convolution or product: keeps the size of what goes through
        u = (u - 0.5) * math.sqrt(24.0 / (tensor.numel() // tensor.shape[0]))
    else:
        u = (u - 0.5) * 0.2
    return torch.from_numpy(u.reshape(tuple(tensor.shape)))


def main():
    found = {}
    images = torch.from_numpy(number("images", 2 * 3 * SIZE * SIZE).reshape(2, 3, SIZE, SIZE) * 2 - 1)
    for name, make in NETWORKS.items():
        network = make().double().eval()
        state = network.state_dict()
        found[name] = {"tensors": [[key, list(tensor.shape)] for key, tensor in state.items()]}
        network.load_state_dict({key: tensor if tensor.dtype == torch.int64 else value(key, tensor)
                                 for key, tensor in state.items()})
        with torch.no_grad():
            found[name]["logits"] = network(images).flatten().tolist()
        print(name, found[name]["logits"][:3])
    out = {"torchvision": torchvision.__version__, "size": SIZE, "classes": CLASSES, "networks": found}
    text = json.dumps(out, separators=(",", ":")).replace('"tensors"', '\n"tensors"').replace('"logits"', '\n"logits"')
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "torchvision.json"), "w", encoding="utf-8") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main()
