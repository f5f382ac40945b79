#!/usr/bin/env python3
"""Checkpoints as Python's torch.save writes them, and what torch.load makes of ours.

    torch_checkpoints.py save FOLDER         NAME.pt and NAME.json (its tensors) for each case below
    torch_checkpoints.py load FILE [FILE..]  the tensors of these files, as JSON, one line each

A tensor is told as {name: [dtype, shape, CRC-32 of its row-major bytes]}.
"""
import collections
import json
import os
import sys
import zlib

import numpy
import torch


def facts(tensor):
    plain = tensor.detach().cpu().contiguous()
    if plain.dtype == torch.bfloat16:  # numpy has no such type
        raw = plain.view(torch.int16).numpy().tobytes()
    else:
        raw = plain.numpy().tobytes()
    return [str(plain.dtype).replace("torch.", ""), list(plain.shape), zlib.crc32(raw)]


def facts_of(tensors):
    return {name: facts(tensor) for name, tensor in tensors.items()}


def network():
    """A small network; its state dict is an OrderedDict with _metadata."""
    torch.manual_seed(3)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))


def all_types():
    base = torch.arange(-3, 9).reshape(3, 4)
    return {
        "f64": base.double() / 7, "f32": base.float() / 7, "f16": base.half() / 8, "bf16": base.bfloat16() / 8,
        "i64": base << 40, "i32": base.int(), "i16": base.short(), "i8": base.char(), "u8": base.abs().byte(),
        "bool": base > 2, "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 7),
    }


def views():
    base = torch.arange(24.0).reshape(2, 3, 4)
    return {
        "base": base, "transposed": base.permute(2, 0, 1), "slice": base[:, 1:, ::2], "row": base[1, 2],
        "expanded": torch.tensor([1.5]).expand(3, 2), "tied": base,
        "channels_last": torch.arange(48.0).reshape(2, 3, 2, 4).contiguous(memory_format=torch.channels_last),
    }


def cases():
    """(name, object, tensors expected, options of torch.save)"""
    state = network().state_dict()
    yield "state_dict", state, state, {}
    yield "legacy", state, state, {"_use_new_zipfile_serialization": False}
    yield "all_types", all_types(), all_types(), {}
    yield "all_types_legacy", all_types(), all_types(), {"_use_new_zipfile_serialization": False}
    yield "views", views(), views(), {}
    yield "views_legacy", views(), views(), {"_use_new_zipfile_serialization": False}
    for protocol in (3, 4, 5):
        yield f"protocol_{protocol}", state, state, {"pickle_protocol": protocol}
        yield f"legacy_protocol_{protocol}", state, state, {
            "pickle_protocol": protocol, "_use_new_zipfile_serialization": False}
    parallel = torch.nn.DataParallel(network())
    yield "data_parallel", parallel.state_dict(), network().state_dict(), {}
    for key in ("state_dict", "model", "model_state_dict", "net"):
        optimiser = torch.optim.SGD(network().parameters(), 0.1, momentum=0.9)
        yield f"below_{key}", {"epoch": 3, "best": torch.tensor(0.5), key: state, "note": None,
                               "optimizer": optimiser.state_dict()}, state, {}
    parameters = collections.OrderedDict(network().named_parameters())
    yield "parameters", parameters, parameters, {}
    plain = {"w": torch.ones(2), "lr": 0.1, "names": ["a", ("b", 2)], "seen": {1, 2}, "shape": torch.Size([2]),
             "dtype": torch.float16, "device": torch.device("cpu"), "raw": b"bytes", "z": 1 + 2j, "big": 1 << 100,
             "counts": collections.Counter("abca"), "lists": collections.defaultdict(list, a=[1])}
    yield "plain_values", plain, {"w": plain["w"]}, {}


def refused():
    """(name, object, what its refusal names)"""
    state = network().state_dict()
    yield "numpy_scalar", {"state_dict": state, "best": numpy.float64(0.5)}, "numpy.core.multiarray.scalar"
    yield "whole_module", network(), "torch.nn.modules.container.Sequential"
    yield "sparse", {"w": torch.eye(3).to_sparse()}, "torch._utils._rebuild_sparse_tensor"
    yield "complex_tensor", {"w": torch.zeros(2, dtype=torch.complex64)}, "torch.ComplexFloatStorage"
    yield "function", {"w": torch.ones(2), "f": os.system}, "posix.system"


def save(folder):
    for name, content, expected, options in cases():
        torch.save(content, os.path.join(folder, name + ".pt"), **options)
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump({"tensors": facts_of(expected)}, file)
    for name, content, names in refused():
        torch.save(content, os.path.join(folder, name + ".pt"))
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump({"refused": names}, file)


def load(paths):
    for path in paths:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        print(json.dumps({"type": type(loaded).__name__, "tensors": facts_of(loaded)}))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "save":
        save(sys.argv[2])
    elif len(sys.argv) > 2 and sys.argv[1] == "load":
        load(sys.argv[2:])
    else:
        sys.exit(__doc__)
