#!/usr/bin/env python3
"""Sums up the heat maps of `probedarts explain` as a Markdown table: tools/heat_table.py FOLDER...

For each network the size of its raw maps, the share of maps in which no place speaks for the class, and how much of the
heat lies in the middle quarter of the image (0.25 where it is spread evenly), as the mean over maps that are not empty. Below, how
many maps are empty by whether the network's answer (its first of one label, above 0.5 of several) is the class explained.
"""
import array
import ast
import json
import pathlib
import struct
import sys


def read_npy(path):
    """Shape and values of a float32 array in C order, version 1.0, as `explain` writes it."""
    content = path.read_bytes()
    length = struct.unpack("<H", content[8:10])[0]
    header = ast.literal_eval(content[10:10 + length].decode("ascii"))
    if header["descr"] != "<f4" or header["fortran_order"]:
        sys.exit(f"{path}: not float32 in C order")
    return header["shape"], array.array("f", content[10 + length:])


def share_in_the_middle(path):
    (height, width), heat = read_npy(path)
    total = sum(heat)
    middle = sum(sum(heat[row * width + width // 4:row * width + width - width // 4])
                 for row in range(height // 4, height - height // 4))
    return middle / total if total > 0 else None


def empty_by_answer(images):
    """How often no place speaks for a class, where the network gives that class and where it does not."""
    several = any(len(image["label"]) > 1 for image in images)
    empty = {True: [], False: []}
    for one in (one for image in images for one in image["maps"]):
        given = one["probability"] > 0.5 if several else one["top_class"] == one["class"]
        empty[given].append(not one["speaks_for"])
    shares = [f"{100 * sum(found) / len(found):.0f} % of {len(found)}" if found else "none" for found in empty.values()]
    return f"empty maps where the network gives the class: {shares[0]}; where it does not: {shares[1]}"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for name in sys.argv[1:]:
        folder = pathlib.Path(name)
        facts = json.loads((folder / "explain.json").read_text(encoding="utf-8"))
        layers = {network["name"]: network["layer"] for network in facts["networks"]}
        print(f"{folder.name}: {len(facts['images'])} images\n")
        print("| network | at layer | raw map | empty maps | heat in the middle quarter |")
        print("|---|---|---|---:|---:|")
        for network, layer in layers.items():
            maps = [m for image in facts["images"] for m in image["maps"] if m["network"] == network]
            shape = read_npy(folder / maps[0]["raw"])[0]
            shares = [s for s in (share_in_the_middle(folder / m["heat"]) for m in maps) if s is not None]
            empty = sum(not m["speaks_for"] for m in maps)
            print(f"| {network} | {layer} | {shape[0]}x{shape[1]} | {100 * empty / len(maps):.0f} % | "
                  f"{sum(shares) / len(shares):.2f} |")
        print("\n" + empty_by_answer(facts["images"]) + "\n")


if __name__ == "__main__":
    main()
