#!/usr/bin/env python3
"""Opens a contact sheet of heat maps in headless Chromium: wide and narrow, light and dark.

    sheet_test.py --render BUILD/render_sheet [--screenshots FOLDER]

Exit code 77 where Chromium or chromedriver is absent.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import webdriver

OPTIONS = argparse.Namespace(render=None, screenshots=None)
NETWORKS = 3


def setUpModule():
    global FOLDER, BROWSER
    FOLDER = tempfile.TemporaryDirectory(prefix="probedarts_sheet_")
    root = pathlib.Path(FOLDER.name)
    subprocess.run([OPTIONS.render, str(root / "data"), str(root / "out")], check=True)
    BROWSER = webdriver.Browser().__enter__()
    unittest.addModuleCleanup(BROWSER.__exit__)


def rows():
    """Rows the page must have: for each image one for its label, and one for the first answers where any is another."""
    facts = json.loads(pathlib.Path(FOLDER.name, "out", "explain.json").read_text(encoding="utf-8"))
    return sum(1 + any(shown["top_class"] not in image["label"] for shown in image["maps"]) for image in facts["images"])


def tearDownModule():
    FOLDER.cleanup()


def open_page(width=1280, scheme="light"):
    BROWSER.open("about:blank")
    BROWSER.console()  # what earlier pages said is not this one's
    BROWSER.resize(width, 900)
    BROWSER.prefer(scheme)
    BROWSER.open(pathlib.Path(FOLDER.name, "out", "index.html").as_uri())


class Sheet(unittest.TestCase):
    def leave(self):
        """What must hold whenever a test is done with the page."""
        self.assertEqual([entry["message"] for entry in BROWSER.console()], [])
        self.assertEqual(BROWSER.js("""const width = document.documentElement.clientWidth;
          return [...document.querySelectorAll("body, body *")].filter((e) =>
            e.getBoundingClientRect().right > width + 1 || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 &&
            getComputedStyle(e).display !== "inline").map((e) => e.tagName + "." + e.className + e.textContent.slice(0, 30));"""), [])

    def places(self):
        """Left edges and widths of the figures of the first row."""
        return BROWSER.js("""return [...document.querySelector("article").children].map((e) => {
          const box = e.getBoundingClientRect(); return [box.left, box.top, box.width]; });""")

    def test_every_picture_is_there_without_a_network(self):
        open_page()
        shown = BROWSER.js("""return [...document.images].map((i) =>
          [i.complete, i.naturalWidth, i.src.startsWith("data:image/jpeg;base64,"), i.alt.length > 0]);""")
        self.assertEqual(len(shown), rows() * (1 + NETWORKS))
        self.assertEqual({tuple(one) for one in shown}, {(True, 96, True, True)})
        self.assertEqual(BROWSER.js("return performance.getEntriesByType('resource').filter((e) => "
                                    "!e.name.startsWith('data:')).map((e) => e.name);"), [])
        self.leave()

    def test_networks_stand_side_by_side_on_a_wide_screen(self):
        open_page(1280)
        boxes = self.places()
        self.assertEqual(len(boxes), 1 + NETWORKS)
        self.assertEqual(len({top for _, top, _ in boxes}), 1)
        self.assertEqual(len({left for left, _, _ in boxes}), 1 + NETWORKS)
        self.leave()

    def test_two_columns_can_be_read_on_a_phone(self):
        open_page(400)
        boxes = self.places()
        self.assertEqual(len({left for left, _, _ in boxes}), 2)
        self.assertTrue(all(width >= 150 for _, _, width in boxes), boxes)
        smallest = BROWSER.js("""return Math.min(...[...document.querySelectorAll("p, li, h3, span")]
          .map((e) => parseFloat(getComputedStyle(e).fontSize)));""")
        self.assertGreaterEqual(smallest, 13)
        self.leave()

    def test_scores_of_every_network_are_named(self):
        open_page()
        scores = BROWSER.js("""return [...document.querySelectorAll("figure.map")].map((e) =>
          [e.querySelector("h3").textContent, parseFloat(e.querySelector(".score b").textContent),
           e.querySelector(".bar i").getBoundingClientRect().width / e.querySelector(".bar").getBoundingClientRect().width]);""")
        self.assertEqual(len(scores), rows() * NETWORKS)
        self.assertEqual(len({name for name, _, _ in scores}), NETWORKS)
        for _, probability, width in scores:
            self.assertTrue(0.0 <= probability <= 1.0)
            self.assertAlmostEqual(probability, width, delta=0.02)  # half a pixel of a column
        self.leave()

    def test_the_page_follows_the_colour_scheme(self):
        paper = "return getComputedStyle(document.body).backgroundColor;"
        open_page(scheme="light")
        light = BROWSER.js(paper)
        open_page(scheme="dark")
        self.assertNotEqual(light, BROWSER.js(paper))
        self.leave()

    def test_screenshots(self):
        if OPTIONS.screenshots is None:
            self.skipTest("no --screenshots")
        for width in (1280, 400):
            for scheme in ("light", "dark"):
                open_page(width, scheme)
                path = pathlib.Path(OPTIONS.screenshots, f"sheet-{width}-{scheme}.png")
                BROWSER.screenshot(str(path))
                self.assertGreater(path.stat().st_size, 20000)
                self.leave()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--render", required=True, help="the render_sheet executable")
    parser.add_argument("--screenshots", help="folder for screenshots")
    OPTIONS, rest = parser.parse_known_args()
    if webdriver.browser_paths() is None:
        print("skipped: chromium or chromedriver is absent (Debian: chromium, chromium-driver)")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
