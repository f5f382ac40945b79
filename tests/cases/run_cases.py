#!/usr/bin/env python3
"""Runs the real program on every case in this folder and compares what it says and leaves behind.

A case is a folder with a case.json:

    {"about":     "what the user did wrong",
     "setup":     [steps, in order, each an object with one of the keys of STEPS below],
     "run":       ["search", "--data", "{tmp}/data", ...],
     "output":    "/dev/full",              where standard output goes; default: it is kept and compared
     "largest_file": 65536,                 bytes; to write more in one file fails, as on a full disk
     "small_disk": {"{tmp}/disk": 64},      a disk of so many KiB; skipped where none may be mounted
     "exit":      2,
     "stderr":    "the whole last line of standard error",
     "prints":    ["whole lines that standard output or standard error must hold"],
     "present":   ["{tmp}/run/run.json"],   must exist afterwards
     "absent":    ["{tmp}/run"],            must not exist afterwards
     "unchanged": ["{tmp}/run"]}            must hold the same bytes as before

Only "about", "run" and "exit" are needed. {tmp} is the case's own empty folder, which is also the
working folder. {me} is this process, as claims of a study name it. {shared} holds what all cases share and none may change: `data`, a synthetic data
set of 100 + 20 + 20 patches of 64 px; `run`, a finished search of one epoch on it; `trained`, a
finished training of one epoch. The arguments "{small}" and "{small training}" stand for the options
of a search and of a training that take a moment; "{small peer}" those of a training of a network that is not made of cells.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import zipfile

CASES = pathlib.Path(__file__).resolve().parent
SECONDS_ALLOWED = 120  # for one run of the program; it takes about one on two idle cores

SMALL = ["--nodes", "1", "--cells", "1", "--channels", "4", "--batch", "8", "--epochs", "1",
         "--augment", "none", "--size", "64", "--threads", "1", "--seed", "1"]

SMALL_TRAINING = ["--cells", "1", "--channels", "4", "--batch", "8", "--epochs", "1",
                  "--augment", "none", "--size", "64", "--threads", "1", "--seed", "1"]
SMALL_PEER = SMALL_TRAINING[4:]  # without cells and channels


# Runs the command after (folder, KiB) with a small disk at that folder, of its own alone, and leaves what it wrote there.
SMALL_DISK = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "sh", "-c", """
    disk=$1; size=$2; shift 2
    mkdir -p "$disk" && mount -t tmpfs -o size="${size}k" small-disk "$disk" || exit 99
    "$@"; code=$?
    cp -R "$disk" "$disk-copy" && umount "$disk" && cp -R "$disk-copy/." "$disk" && rm -r "$disk-copy" || exit 99
    exit $code""", "sh"]


class Skipped(Exception):
    """What a case needs is not to be had here."""


class Workplace:
    """The program, its environment and the folder all cases share."""

    def __init__(self, program, root):
        self.program = program
        self.root = root
        self.shared = root / "shared"
        self.environment = {**os.environ, "LC_ALL": "C", "OMP_NUM_THREADS": "1"}

    def expand(self, text, tmp):
        me = f"process {os.getpid()} on {socket.gethostname()}"
        return text.replace("{tmp}", str(tmp)).replace("{shared}", str(self.shared)).replace("{me}", me)

    def arguments(self, words, tmp):
        expanded = []
        for word in words:
            expanded += {"{small}": SMALL, "{small training}": SMALL_TRAINING, "{small peer}": SMALL_PEER}.get(
                word, [self.expand(word, tmp)])
        return expanded

    def run(self, words, tmp, largest_file=None, output=None, small_disk=None):
        environment = {**self.environment, "XDG_CACHE_HOME": str(tmp / "cache")}
        command = [self.program, *self.arguments(words, tmp)]
        if largest_file is not None:  # the shell counts in blocks of 512 bytes
            command = ["sh", "-c", f'ulimit -f {largest_file // 512} && exec "$@"', "sh", *command]
        if small_disk is not None:
            command = [*SMALL_DISK, *small_disk, *command]
        with contextlib.ExitStack() as files:
            stdout = subprocess.PIPE if output is None else files.enter_context(open(output, "wb"))
            return subprocess.run(command, cwd=tmp, env=environment, stdin=subprocess.DEVNULL, text=True,
                                  stdout=stdout, stderr=subprocess.PIPE, timeout=SECONDS_ALLOWED, check=False)

    def must_run(self, words, tmp, code=0):
        done = self.run(words, tmp)
        if done.returncode != code:
            raise RuntimeError(f"setup: {' '.join(words)} gave {done.returncode}: {done.stderr}")

    def make_shared(self):
        self.shared.mkdir()
        self.must_run(["data", "synth", "{shared}/data", "--size", "64", "--train", "100",
                       "--valid", "20", "--test", "20", "--seed", "7"], self.shared)
        self.must_run(["search", "--data", "{shared}/data", "{small}", "--out", "{shared}/run"],
                      self.shared)
        self.must_run(["train", "--data", "{shared}/data", "{small training}", "--genotype",
                       "DARTS_ADP_N2", "--out", "{shared}/trained"], self.shared)


def write(place, tmp, files):
    """{"write": {path: text}}: writes text files."""
    for name, text in files.items():
        path = tmp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(place.expand(text, tmp), encoding="utf-8")


def folder(_place, tmp, name):
    """{"folder": path}: makes an empty folder."""
    (tmp / name).mkdir(parents=True)


def copy(place, tmp, pairs):
    """{"copy": {to: from}}: copies a file or folder; "from" may start with {shared}."""
    for to, source in pairs.items():
        source = pathlib.Path(place.expand(source, tmp))
        (tmp / to).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, tmp / to)
        else:
            shutil.copyfile(source, tmp / to)


def images(place, tmp, counts):
    """{"images": {folder: count}}: fills folders with 0.png, 1.png, ...; no picture comes twice."""
    pictures = iter(sorted((place.shared / "data/images/train").iterdir()))
    for name, count in counts.items():
        (tmp / name).mkdir(parents=True)
        for number in range(count):
            shutil.copyfile(next(pictures), tmp / name / f"{number}.png")


def truncate(_place, tmp, sizes):
    """{"truncate": {path: bytes}}: keeps that many bytes of a file that is longer."""
    for name, size in sizes.items():
        if (tmp / name).stat().st_size <= size:
            raise RuntimeError(f"setup: {name} is not longer than {size} bytes")
        os.truncate(tmp / name, size)


def flip(_place, tmp, offsets):
    """{"flip": {path: offset}}: flips the bits of one byte; a negative offset is from the end."""
    for name, offset in offsets.items():
        content = bytearray((tmp / name).read_bytes())
        content[offset] ^= 0xFF
        (tmp / name).write_bytes(content)


def npy(_place, tmp, arrays):
    """{"npy": {path: [numbers]}}: writes 64-bit numbers as numpy.save does, format version 1.0."""
    for name, numbers in arrays.items():
        header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({len(numbers)},), }}"
        header = header.ljust(128 - 10 - 1) + "\n"
        path = tmp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) +
                         header.encode("ascii") + struct.pack(f"<{len(numbers)}q", *numbers))


def safetensors(_place, tmp, headers):
    """{"safetensors": {path: header}}: writes a file with that JSON header and 4 bytes of data."""
    for name, header in headers.items():
        (tmp / name).write_bytes(struct.pack("<Q", len(header)) + header.encode("ascii") + bytes(4))


def nan(_place, tmp, tensors):
    """{"nan": {path: tensor}}: makes the first number of a float32 tensor of a safetensors file a NaN."""
    for name, tensor in tensors.items():
        content = bytearray((tmp / name).read_bytes())
        length = struct.unpack("<Q", content[:8])[0]
        place = 8 + length + json.loads(content[8:8 + length])[tensor]["data_offsets"][0]
        content[place:place + 4] = struct.pack("<f", float("nan"))
        (tmp / name).write_bytes(content)


def pt(_place, tmp, files):
    """{"pt": {path: content}}: writes a zip as torch.save does, whose pickle is {"text": text}, {"zeros":
    bytes}, compressed, or {"call": [module, function, text]}: to be called when it is unpickled."""
    for name, how in files.items():
        if "call" in how:
            module, function, text = (word.encode("ascii") for word in how["call"])
            body = (b"c" + module + b"\n" + function + b"\nX" + struct.pack("<I", len(text)) + text +
                    b"\x85R.")
        elif "text" in how:
            text = how["text"].encode("ascii")
            body = b"X" + struct.pack("<I", len(text)) + text + b"."
        else:
            body = bytes(how["zeros"])
        with zipfile.ZipFile(tmp / name, "w", zipfile.ZIP_DEFLATED if "zeros" in how else zipfile.ZIP_STORED) as file:
            file.writestr("archive/data.pkl", b"\x80\x02" + body)
            file.writestr("archive/version", b"3\n")


def replace(place, tmp, changes):
    """{"replace": {path: [old, new]}}: replaces a text that must be there exactly once."""
    for name, (old, new) in changes.items():
        text = (tmp / name).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise RuntimeError(f"setup: {name} holds {old!r} {text.count(old)} times, not once")
        (tmp / name).write_text(text.replace(old, place.expand(new, tmp)), encoding="utf-8")


def latin1(_place, tmp, names):
    """{"latin1": {old: new}}: renames a file or folder; the new name is written in ISO 8859-1."""
    for old, new in names.items():
        os.rename(tmp / old, os.path.join(os.fsencode(tmp), new.encode("latin-1")))


def latin1_text(_place, tmp, files):
    """{"latin1_text": {path: text}}: writes a text file in ISO 8859-1."""
    for name, text in files.items():
        (tmp / name).write_bytes(text.encode("latin-1"))


def remove(_place, tmp, names):
    """{"remove": [paths]}: removes files and folders."""
    for name in names:
        if (tmp / name).is_dir():
            shutil.rmtree(tmp / name)
        else:
            (tmp / name).unlink()


def claim(_place, tmp, name):
    """{"claim": path}: writes the claim of a living process, which is this one, in a study's ledger."""
    stat = pathlib.Path(f"/proc/{os.getpid()}/stat").read_text(encoding="utf-8")
    content = {"host": socket.gethostname(), "pid": os.getpid(), "start": stat.rsplit(")", 1)[1].split()[19]}
    (tmp / name).write_text(json.dumps(content), encoding="utf-8")


def program(place, tmp, words):
    """{"program": [arguments]}: runs the program, which must end with 0."""
    place.must_run(words, tmp)


def ends(place, tmp, runs):
    """{"ends": {exit code: [arguments]}}: runs the program, which must end with that code."""
    for code, words in runs.items():
        place.must_run(words, tmp, int(code))


STEPS = {step.__name__: step
         for step in (write, folder, copy, images, truncate, flip, npy, safetensors, nan, pt, replace, latin1, latin1_text, remove,
                      claim, program, ends)}
KEYS = {"about", "setup", "run", "output", "largest_file", "small_disk", "exit", "stderr", "prints", "present", "absent", "unchanged"}


def content(path):
    """Every file below `path` (or the file itself) with its bytes."""
    if not path.exists():
        return None
    if path.is_file():
        return path.read_bytes()
    return {str(file.relative_to(path)): file.read_bytes()
            for file in sorted(path.rglob("*")) if file.is_file()}


def problems_of(case, place, tmp):
    """What differs from the case's description, one line each; empty when nothing does."""
    if not {"about", "run", "exit"} <= case.keys() <= KEYS:
        return [f"case.json: keys {sorted(case)} are not those described in {__file__}"]
    for step in case.get("setup", []):
        for name, what in step.items():
            STEPS[name](place, tmp, what)

    def paths(key):
        return [pathlib.Path(place.expand(name, tmp)) for name in case.get(key, [])]

    before = {path: content(path) for path in paths("unchanged")}
    disk = None
    for folder_name, kib in case.get("small_disk", {}).items():
        disk = [place.expand(folder_name, tmp), str(kib)]
        if subprocess.run([*SMALL_DISK, *disk, "true"], capture_output=True, check=False).returncode != 0:
            raise Skipped("this user may not mount a small disk")
    done = place.run(case["run"], tmp, case.get("largest_file"), case.get("output"), disk)
    problems = []
    if done.returncode != case["exit"]:
        problems.append(f"exit {done.returncode}, expected {case['exit']}")
    said = done.stderr.splitlines()
    if "stderr" in case:
        expected = place.expand(case["stderr"], tmp)
        last = said[-1] if said else ""
        if last != expected:
            problems.append(f"stderr   {last}\n    expected {expected}")
    for line in case.get("prints", []):
        line = place.expand(line, tmp)
        if line not in said + (done.stdout or "").splitlines():
            problems.append(f"no line '{line}' in\n{done.stdout}{done.stderr}")
    problems += [f"{path} is missing" for path in paths("present") if not path.exists()]
    problems += [f"{path} was made" for path in paths("absent") if path.exists()]
    for path, old in before.items():
        if old is None:
            problems.append(f"{path} was not there before the run")
        elif content(path) != old:
            problems.append(f"{path} was changed")
    return problems


def run_case(name, place):
    tmp = place.root / "cases" / name
    tmp.mkdir(parents=True)
    try:
        case = json.loads((CASES / name / "case.json").read_text(encoding="utf-8"))
        return problems_of(case, place, tmp)
    except Skipped as reason:
        return reason
    except (OSError, RuntimeError, ValueError, LookupError, subprocess.SubprocessError) as error:
        return [f"{type(error).__name__}: {error}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="the probedarts to run")
    parser.add_argument("cases", nargs="*", help="names of cases; default: all")
    options = parser.parse_args()
    names = options.cases or sorted(file.parent.name for file in CASES.glob("*/case.json"))
    if not names:
        sys.exit(f"no case found in {CASES}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="probedarts-cases-") as root:
        place = Workplace(str(pathlib.Path(options.program).resolve()),
                          pathlib.Path(root).resolve())
        place.make_shared()
        before = content(place.shared)
        with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
            for name, problems in zip(names, pool.map(lambda name: run_case(name, place), names)):
                if isinstance(problems, Skipped):
                    print(f"{'skipped':6} {name}: {problems}")
                    continue
                print(f"{'FAILED' if problems else 'ok':6} {name}")
                for problem in problems:
                    print(f"    {problem}")
                failed += bool(problems)
        if content(place.shared) != before:
            print(f"FAILED a case changed {place.shared}")
            failed += 1
    print(f"{len(names)} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
