#!/usr/bin/env python3
"""Tests of check_rooms.py on small trees in a temporary folder."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path

import check_rooms


class CheckRooms(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.write("src/core/errors.hpp", "#include <string>\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def check(self):
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            code = check_rooms.main(["check_rooms.py", str(self.root)])
        return code, output.getvalue().splitlines()

    def assert_error(self, expected):
        code, lines = self.check()
        self.assertEqual(lines[:-1], ["error: " + expected])
        self.assertEqual(code, 1)

    def assert_clean(self):
        code, lines = self.check()
        self.assertEqual(lines[:-1], [])
        self.assertEqual(code, 0)

    def test_accepts_includes_that_point_down(self):
        self.write("src/learn/search.cpp", '#include "core/errors.hpp"\n#include "nets/supernet.hpp"\n'
                   '#include "learn/search.hpp"\n#include <ATen/ops/add.h>\n#include <opencv2/core.hpp>\n')
        self.write("src/learn/search_test.cpp", '#include "support/shared_files.hpp"\n#include <gtest/gtest.h>\n')
        self.assert_clean()

    def test_lets_cli_include_every_room(self):
        self.write("src/cli/main.cpp", "".join(f'#include "{room}/a.hpp"\n' for room in check_rooms.ROOMS))
        self.assert_clean()

    def test_refuses_an_include_that_points_up(self):
        self.write("src/space/genotype.cpp", '#include "core/errors.hpp"\n#include "nets/supernet.hpp"\n')
        self.assert_error("src/space/genotype.cpp:2: includes nets/supernet.hpp; `space` may include core")

    def test_refuses_any_room_in_the_lowest(self):
        self.write("src/core/errors.cpp", '#include "space/genotype.hpp"\n')
        self.assert_error(
            "src/core/errors.cpp:1: includes space/genotype.hpp; `core` may include no other room")

    def test_refuses_an_include_that_points_sideways(self):
        self.write("src/data/loader.cpp", '#include "space/genotype.hpp"\n')
        self.assert_error("src/data/loader.cpp:1: includes space/genotype.hpp; `data` may include core")

    def test_is_not_deceived_by_angle_brackets_or_blanks(self):
        self.write("src/kernels/pool.hpp", "  #  include <nets/layout.hpp>\n")
        self.assert_error("src/kernels/pool.hpp:1: includes nets/layout.hpp; `kernels` may include core")

    def test_refuses_an_include_relative_to_the_file(self):
        self.write("src/data/csv.cpp", '#include "csv.hpp"\n')
        self.assert_error(
            'src/data/csv.cpp:1: includes "csv.hpp"; write it from src/ down, as "data/..."')

    def test_refuses_torch_in_every_torch_free_room(self):
        for room in sorted(check_rooms.TORCH_FREE):
            for header in ("torch/nn/module.h", "ATen/core/Tensor.h", "c10/util/Exception.h"):
                with self.subTest(room=room, header=header):
                    self.write(f"src/{room}/a.cpp", f"#include <{header}>\n")
                    self.assert_error(f"src/{room}/a.cpp:1: includes {header}; `{room}` is free of LibTorch")
                    (self.root / f"src/{room}/a.cpp").unlink()

    def test_refuses_all_in_one_headers_everywhere(self):
        for header in ("torch/torch.h", "torch/all.h", "ATen/ATen.h"):
            with self.subTest(header=header):
                self.write("src/nets/supernet.cpp", f"#include <{header}>\n")
                self.assert_error(f"src/nets/supernet.cpp:1: includes {header}; "
                                  "include the narrow headers that are used")

    def test_accepts_a_file_of_600_lines_with_a_warning(self):
        self.write("src/core/long.cpp", "\n" * 600)
        code, lines = self.check()
        self.assertEqual(lines[0], "warning: src/core/long.cpp: 600 lines of 600")
        self.assertEqual(code, 0)

    def test_refuses_a_file_of_601_lines(self):
        self.write("tests/long_test.cpp", "\n" * 601)
        self.assert_error("tests/long_test.cpp: 601 lines; split it, the limit is 600")

    def test_refuses_a_folder_whose_name_says_nothing(self):
        for name in ("utils", "common", "misc", "helpers"):
            with self.subTest(name=name):
                folder = self.root / "src/core" / name
                folder.mkdir()
                self.assert_error(
                    f"src/core/{name}: a folder called {name} says nothing; name it after its job")
                folder.rmdir()

    def test_refuses_a_room_that_is_not_in_the_table(self):
        self.write("src/attic/a.cpp", "")
        self.assert_error("src/attic: no room of this name; add it to the table of tools/check_rooms.py")

    def test_refuses_a_link_to_a_room_above(self):
        self.write("src/probe/CMakeLists.txt",
                   "probedarts_room(probe  # EVBMF\n  SOURCES evbmf.cpp USES core\n    optim TORCH)\n")
        self.assert_error("src/probe/CMakeLists.txt: USES optim; `probe` may use core, space")

    def test_refuses_to_link_torch_to_a_torch_free_room(self):
        self.write("src/report/CMakeLists.txt", "probedarts_room(report SOURCES a.cpp USES core space TORCH)\n")
        self.assert_error("src/report/CMakeLists.txt: TORCH; `report` is free of LibTorch")

    def test_reports_every_problem_in_one_run(self):
        self.write("src/core/a.cpp", '#include "nets/a.hpp"\n#include "cli/a.hpp"\n')
        code, lines = self.check()
        self.assertEqual(lines[-1], "rooms: 1 checked, 2 errors, 0 warnings")
        self.assertEqual(code, 1)

    def test_table_points_downwards_only(self):
        self.assertEqual(check_rooms.check_table(), [])


if __name__ == "__main__":
    unittest.main()
