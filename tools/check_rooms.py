#!/usr/bin/env python3
"""Holds the table of rooms and checks the source tree against it.

    tools/check_rooms.py [project folder]

Fails (exit 1) when
  - a folder of src/ is no room of the table, or is called utils, common, misc or helpers;
  - an include, or a USES in a room's CMakeLists.txt, points to a room that the table does not allow;
  - a quoted include is not written from src/ down ("room/file.hpp");
  - a torch-free room includes LibTorch, or anything includes one of its all-in-one headers;
  - a file is longer than 600 lines.
Warns about files that come close to that. Debian keeps LibTorch in /usr/include, where every file sees it, so include
paths cannot keep rooms apart and this check does.
"""

import re
import sys
from pathlib import Path

# Lowest first. A room may include itself and the rooms named here; `cli`, on top, may include all below.
ROOMS = {
    "core": (),
    "space": ("core",),
    "kernels": ("core",),
    "nets": ("core", "space", "kernels"),
    "probe": ("core", "space"),
    "optim": ("core", "probe"),
    "data": ("core",),
    "exchange": ("core",),
    "learn": ("core", "space", "nets", "probe", "optim", "data", "exchange"),
    "explain": ("core", "space", "nets", "data", "exchange", "learn"),
    "slide": ("core", "nets", "data"),
    "report": ("core", "space"),
    "study": ("core", "space", "learn", "report"),
}
ROOMS["cli"] = tuple(ROOMS)

TORCH_FREE = {"core", "space", "kernels", "data", "exchange", "report", "study", "cli"}
TORCH_FOLDERS = {"torch", "ATen", "c10", "caffe2"}
ALL_IN_ONE = {"torch/torch.h", "torch/all.h", "torch/extension.h", "ATen/ATen.h"}  # 8 to 22 s of compilation each

# Quoted includes that start with no room: what tests share, and Highway, which includes files again by name.
OTHER_ROOTS = {"support", "hwy"}

BAD_FOLDERS = {"util", "utils", "common", "misc", "helper", "helpers"}
CHECKED_FOLDERS = ("src", "tests", "tools", "bench", "examples", "cmake")
CODE_ENDINGS = {".hpp", ".cpp", ".h", ".cc", ".in", ".py", ".js", ".css", ".html", ".sh", ".cmake", ".txt"}
LINE_LIMIT = 600
LINE_WARNING = 540

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
ROOM_CALL = re.compile(r"probedarts_room\(\s*(\w+)([^)]*)\)")
KEYWORDS = {"SOURCES", "USES", "LIBS", "TORCH", "TESTS", "GOLDEN", "BENCHES"}


def allowed_text(room):
    return ", ".join(ROOMS[room]) if ROOMS[room] else "no other room"


def read_lines(path):
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def check_include(room, quote, target):
    """What is wrong with this include in a file of `room`, or None."""
    first = target.split("/")[0]
    if target in ALL_IN_ONE:
        return f"includes {target}; include the narrow headers that are used"
    if first in TORCH_FOLDERS:
        if room in TORCH_FREE:
            return f"includes {target}; `{room}` is free of LibTorch"
        return None
    if first in ROOMS and "/" in target:
        if first != room and first not in ROOMS[room]:
            return f"includes {target}; `{room}` may include {allowed_text(room)}"
        return None
    if quote == '"' and first not in OTHER_ROOTS:
        return f'includes "{target}"; write it from src/ down, as "{room}/..."'
    return None


def check_sources(src):
    problems = []
    for folder in sorted(path for path in src.iterdir() if path.is_dir()):
        room = folder.name
        if room not in ROOMS:
            if room not in BAD_FOLDERS:
                problems.append(f"{folder}: no room of this name; add it to the table of tools/check_rooms.py")
            continue
        for path in sorted(folder.rglob("*")):
            if path.suffix not in {".hpp", ".cpp", ".h", ".in"} or not path.is_file():
                continue
            for number, line in enumerate(read_lines(path), start=1):
                found = INCLUDE.match(line)
                problem = check_include(room, *found.groups()) if found else None
                if problem:
                    problems.append(f"{path}:{number}: {problem}")
        problems += check_room_call(room, folder / "CMakeLists.txt")
    return problems


def check_room_call(room, path):
    """The USES of a room's CMakeLists.txt against the table; what is linked is what may be included."""
    if not path.is_file():
        return []
    text = "\n".join(line.split("#")[0] for line in read_lines(path))
    problems = []
    for name, arguments in ROOM_CALL.findall(text):
        if name != room:
            problems.append(f"{path}: calls probedarts_room({name}) in the folder of `{room}`")
        keyword = None
        for word in arguments.split():
            if word in KEYWORDS:
                keyword = word
                if word == "TORCH" and room in TORCH_FREE:
                    problems.append(f"{path}: TORCH; `{room}` is free of LibTorch")
            elif keyword == "USES" and word not in ROOMS[room]:
                problems.append(f"{path}: USES {word}; `{room}` may use {allowed_text(room)}")
    return problems


def check_shape(root):
    """Folder names and file lengths; returns (problems, warnings)."""
    problems, warnings = [], []
    for top in CHECKED_FOLDERS:
        for path in sorted((root / top).rglob("*")):
            parts = path.relative_to(root).parts
            if {"node_modules", "__pycache__"} & set(parts):
                continue
            if path.is_dir() and path.name in BAD_FOLDERS:
                problems.append(f"{path}: a folder called {path.name} says nothing; name it after its job")
            if path.is_file() and path.suffix in CODE_ENDINGS:
                lines = len(read_lines(path))
                if lines > LINE_LIMIT:
                    problems.append(f"{path}: {lines} lines; split it, the limit is {LINE_LIMIT}")
                elif lines > LINE_WARNING:
                    warnings.append(f"{path}: {lines} lines of {LINE_LIMIT}")
    return problems, warnings


def check_table():
    """A room may name only rooms that stand before it, so arrows cannot form a circle."""
    seen = set()
    for room, below in ROOMS.items():
        wrong = set(below) - seen
        if wrong:
            return [f"tools/check_rooms.py: `{room}` names {', '.join(sorted(wrong))}, which is not below it"]
        seen.add(room)
    return []


def main(arguments):
    root = Path(arguments[1]) if len(arguments) > 1 else Path(__file__).resolve().parent.parent
    if not (root / "src").is_dir():
        print(f"rooms: {root} has no folder src", file=sys.stderr)
        return 2
    problems, warnings = check_shape(root)
    problems += check_table() + check_sources(root / "src")
    prefix = f"{root}/"
    for warning in warnings:
        print("warning: " + warning.replace(prefix, "", 1))
    for problem in problems:
        print("error: " + problem.replace(prefix, "", 1))
    rooms = sorted(path.name for path in (root / "src").iterdir() if path.is_dir() and path.name in ROOMS)
    print(f"rooms: {len(rooms)} checked, {len(problems)} errors, {len(warnings)} warnings")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
