#!/usr/bin/env python3
"""Opens the page of a study in headless Chromium: all figures, wide and narrow, light and dark.

    study_page_test.py --program BUILD/probedarts [--screenshots FOLDER]

The study has records of all phases, as `study run` leaves them, with invented numbers: nothing is trained.
Exit code 77 where Chromium or chromedriver is absent.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

import webdriver

HERE = pathlib.Path(__file__).resolve().parent
OPTIONS = argparse.Namespace(program=None, screenshots=None)
STUDY = """
name = "all phases of a study"
phases = ["search", "quick", "select", "final", "resolution", "explain"]
seeds = [1, 2]
[grid]
data = "data"
nodes = [3, 4]
optimizer = ["sgd", "adas"]
size = 64
[rows]
genotypes = ["DARTS_ADP_N3"]
networks = ["resnet18"]
[final]
runs = 2
[resolution]
sizes = [64, 128]
runs = 2
"""
GENES = {"genes": [["sep_conv_3x3", 0], ["skip_connect", 1]], "concat": [2]}
CELL = ("Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1)], normal_concat=[2], "
        "reduce=[('sep_conv_3x3', 0), ('skip_connect', 1)], reduce_concat=[2])")
NETWORK = {"name": "cells", "stem": "pathology", "channels": 16, "cells": 4, "classes": 3, "auxiliary": False,
           "genotype": {"normal": GENES, "reduce": GENES}}
MODEL = {"classes": ["a", "b", "c"], "labels": "single", "mean": [0.5, 0.5, 0.5], "sd": [0.2, 0.2, 0.2], "size": 64,
         "network": NETWORK}
FIGURES = ["figure-3-stable-rank", "figure-3-weights", "figure-4", "figure-5", "figure-7",
           *[f"figure-6-row{row}-{kind}" for row in range(1, 5) for kind in ("normal", "reduction")]]
OVERFLOW = """const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) return ["page " + document.documentElement.scrollWidth];
  return [...document.querySelectorAll("body *")].filter((e) => !e.closest(".scroll, svg") &&
    e.getBoundingClientRect().right > width + 1).map((e) => e.tagName + "#" + e.id + "." + e.className);"""
TEXTS = "return [...document.getElementById(arguments[0]).querySelectorAll('svg text')].map((e) => e.textContent);"
# Light text on a dark page, or dark text on a light one: how bright text and page are, 0..255.
BRIGHTNESS = """const sum = (color) => color.match(/[\\d.]+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3;
  const text = document.querySelector('#figure-4 svg text');
  return [sum(getComputedStyle(text).fill), sum(getComputedStyle(document.body).backgroundColor)];"""


def write_run(folder, task, dice):
    """The folder of a finished task, and what it printed."""
    run = folder / "runs" / task["id"]
    kind = task["kind"]
    if kind == "search":
        optimizer = "adas" if "--optimizer=adas" in task["arguments"] else "sgd"
        subprocess.run([sys.executable, "-B", str(HERE.parent / "report" / "make_run.py"), str(run), "--epochs", "8",
                        "--optimizer", optimizer, "--seed", str(dice.randrange(1000))], check=True)
        return {"valid_error": dice.uniform(0.2, 0.3), "best_error": 0.2, "genotype_text": CELL, "epochs": 8}
    if kind == "train":
        run.mkdir(parents=True)
        record = {"kind": "train", "parameters": dice.randrange(100000, 900000), "model": MODEL}
        (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
        return {"best_error": dice.uniform(0.1, 0.2), "valid_error": 0.2, "epochs": 8}
    if kind == "select":
        return {"genotype": CELL, "from": task["needs"][0], "seed": 1, "valid_error": 0.1}
    if kind == "explain":
        run.mkdir(parents=True)
        (run / "index.html").write_text("<!DOCTYPE html><title>heat maps</title>", encoding="utf-8")
        return {}
    size = 128 if "128 px" in task["label"] else 64
    lines = ["size,image,group,truth,right"]
    lines += [f"{size},test/{i}.png,{i // 10},a,{int(dice.random() < 0.9)}" for i in range(100)]
    (folder / "predictions" / f"{task['id']}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"evaluations": [{"size": size, "images": 100, "measures": {"accuracy": {"value": dice.uniform(0.8, 0.9)}}}]}


def write_study(root):
    folder = root / "a study"  # with a space, which links must survive
    for name in ("ledger/claims", "predictions", "runs", "logs"):
        (folder / name).mkdir(parents=True)
    (root / "data").mkdir()
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    (folder / "data_root.txt").write_text(str(root), encoding="utf-8")
    plan = subprocess.run([OPTIONS.program, "study", "plan", folder, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    dice = random.Random(1)
    for task in json.loads(plan.stdout)["tasks"]:
        record = {"done": True, "reason": "", "exit": 0, "seconds": 1.0, "memory_mib": 1.0,
                  "result": write_run(folder, task, dice)}
        (folder / "ledger" / f"{task['id']}.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def setUpModule():
    global BROWSER, FOLDER, PAGES
    BROWSER = webdriver.Browser().__enter__()
    unittest.addModuleCleanup(BROWSER.__exit__)
    scratch = tempfile.TemporaryDirectory(prefix="probedarts_study_page_")
    unittest.addModuleCleanup(scratch.cleanup)
    FOLDER = write_study(pathlib.Path(scratch.name))
    PAGES = {"few": FOLDER / "report.html", "all": pathlib.Path(scratch.name, "all.html")}
    for page, options in (("few", ["--figures", FOLDER / "figures"]), ("all", ["--all-pairs"])):
        subprocess.run([OPTIONS.program, "study", "report", FOLDER, "--out", PAGES[page], *options],
                       stdout=subprocess.DEVNULL, check=True)


def show(page="few", width=1280, scheme="light"):
    BROWSER.open("about:blank")
    BROWSER.console()  # what earlier pages said is not this one's
    BROWSER.resize(width, 900)
    BROWSER.prefer(scheme)
    BROWSER.open(PAGES[page].as_uri())


class StudyPage(unittest.TestCase):
    def test_nothing_sticks_out_and_every_figure_is_legible_in_every_look(self):
        for width in (1280, 400):
            for scheme in ("light", "dark"):
                with self.subTest(width=width, scheme=scheme):
                    show("few", width, scheme)
                    self.assertEqual(BROWSER.js(OVERFLOW), [])
                    self.assertEqual([e["message"] for e in BROWSER.console()], [])
                    for name in FIGURES:
                        height = BROWSER.js("const svg = document.querySelector(`#${arguments[0]} svg`);"
                                            "return svg ? svg.getBoundingClientRect().height : 0;", name)
                        self.assertGreater(height, 50, name)
                    text, page = BROWSER.js(BRIGHTNESS)
                    self.assertGreater(abs(text - page), 120)
                    self.assertEqual(page < 128, scheme == "dark")
                    if OPTIONS.screenshots:
                        BROWSER.screenshot(str(pathlib.Path(OPTIONS.screenshots, f"study-{width}-{scheme}.png")))

    def test_every_chart_has_a_legend(self):
        show()
        rows = BROWSER.js("return [...document.querySelectorAll('#results tbody th')].map((e) => e.textContent);")
        self.assertEqual(len(rows), 6)
        wanted = {"figure-3-stable-rank": ["before the nodes", "into node 1", "into node 4"], "figure-3-weights": ["skip"],
                  "figure-4": ["training", "validation"], "figure-5": rows, "figure-7": rows}
        for name, labels in wanted.items():
            texts = BROWSER.js(TEXTS, name)
            for label in labels:
                self.assertIn(label, texts, name)
        ranks = BROWSER.js(TEXTS, "figure-3-stable-rank")
        self.assertEqual(ranks.count("into node 1"), 4)  # once a panel, however many lines

    def test_sizes_of_networks_are_those_that_count_tells(self):
        show()
        cells = BROWSER.js("return [...document.querySelector('#results tbody tr').cells].map((e) => e.textContent);")
        counted = subprocess.run([OPTIONS.program, "count", "--genotype", CELL, "--classes", "3", "--size", "64",
                                  "--channels", "16", "--cells", "4", "--json"], stdout=subprocess.PIPE, check=True)
        count = json.loads(counted.stdout)
        self.assertEqual(cells[-2:], [f"{count['parameters'] / 1e6:.3f}", f"{count['macs'] / 1e9:.4f} (64 px)"])

    def test_many_rows_are_compared_with_the_best_unless_told_otherwise(self):
        sentences = "return document.querySelectorAll('#comparisons li').length;"
        show("few")
        few = BROWSER.js(sentences)
        self.assertIn("--all-pairs", BROWSER.js("return document.getElementById('comparisons').textContent;"))
        show("all")
        self.assertGreater(BROWSER.js(sentences), few)
        self.assertNotIn("--all-pairs", BROWSER.js("return document.getElementById('comparisons').textContent;"))

    def test_links_to_heat_maps_lead_to_them_from_wherever_the_page_is(self):
        for page in PAGES:
            show(page)
            BROWSER.open(BROWSER.js("return document.querySelector('#figure-8 a').href;"))
            self.assertEqual(BROWSER.js("return document.title;"), "heat maps")

    def test_figures_are_written_as_files_too(self):
        self.assertEqual(sorted(file.stem for file in (FOLDER / "figures").iterdir()), sorted(FIGURES))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--screenshots", help="folder for screenshots")
    OPTIONS, rest = parser.parse_known_args()
    if webdriver.browser_paths() is None:
        print("skipped: chromium or chromedriver is absent (Debian: chromium, chromium-driver)")
        sys.exit(77)
    if OPTIONS.screenshots:
        pathlib.Path(OPTIONS.screenshots).mkdir(parents=True, exist_ok=True)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
