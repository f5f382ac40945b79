#!/usr/bin/env python3
"""Tests of setup.sh with stand-ins for dpkg-query, apt-get, sudo, id and update-alternatives; installs nothing."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SETUP = Path(__file__).resolve().parent / "setup.sh"
LINT = ["clang-format-14", "clang-tidy-14"]
OPENBLAS = "/usr/lib/a/openblas-pthread/libblas.so.3"
REFERENCE = "/usr/lib/a/blas/libblas.so.3"


class Setup(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.calls = self.folder / "calls"
        self.calls.touch()
        for name in ("apt-get", "env"):
            self.stand_in(name, f'echo "{name} $*" >> {self.calls}')

    def stand_in(self, name, body):
        path = self.folder / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def run_setup(self, *groups, installed, root=True, sudo=False, blas=OPENBLAS):
        self.stand_in("dpkg-query", "\n".join(f'echo "{line}"' for line in installed))
        self.stand_in("id", f"echo {0 if root else 1000}")
        self.stand_in("sudo", '[[ $1 == -n ]] && exit 0; "$@"' if sudo else "exit 1")
        self.stand_in("update-alternatives",
                      f'if [[ $1 == --set ]]; then echo "set $2 $3" >> {self.calls}; exit; fi\n'
                      f'printf "Value: {blas}\\n\\nAlternative: {REFERENCE}\\nAlternative: {OPENBLAS}\\n"')
        self.stand_in("gcc", "echo a")
        environment = {"PATH": f"{self.folder}:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")}
        done = subprocess.run(["/bin/bash", str(SETUP), *groups], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        return done, self.calls.read_text().splitlines()

    def test_installs_nothing_when_all_is_there(self):
        done, calls = self.run_setup("lint", installed=[f"installed {name} " for name in LINT])
        self.assertEqual(done.stdout, "setup: lint : all 2 packages are installed\n")
        self.assertEqual((done.returncode, calls), (0, []))

    def test_installs_only_what_is_missing(self):
        done, calls = self.run_setup("lint", installed=["installed clang-format-14 "])
        self.assertEqual(done.returncode, 0)
        self.assertIn("1 of 2 packages are installed; installing clang-tidy-14", done.stdout)
        self.assertEqual(calls, ["apt-get update", "env DEBIAN_FRONTEND=noninteractive apt-get install -y "
                                 "--no-install-recommends clang-tidy-14"])

    def test_does_not_take_a_removed_package_for_an_installed_one(self):
        _, calls = self.run_setup("lint", installed=["installed clang-tidy-14 ", "config-files clang-format-14 "])
        self.assertTrue(calls[-1].endswith("--no-install-recommends clang-format-14"), calls)

    def test_accepts_a_package_that_another_provides(self):
        done, calls = self.run_setup("bench", installed=["installed python3-torch ",
                                                         "installed nodejs libnode-dev, npm (= 10.8.2)",
                                                         "installed linux-perf "])
        self.assertEqual(done.stdout, "setup: bench : all 4 packages are installed\n")
        self.assertEqual(calls, [])

    def test_uses_sudo_when_it_is_not_root(self):
        done, calls = self.run_setup("lint", installed=[], root=False, sudo=True)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(calls[0], "apt-get update")

    def test_prints_the_command_and_exits_with_2_when_it_cannot_become_root(self):
        done, calls = self.run_setup("lint", installed=["installed clang-tidy-14 "], root=False)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, "setup: missing: clang-format-14\n"
                         "setup: run this as root, then try again:\n"
                         "  apt-get update && apt-get install -y --no-install-recommends clang-format-14\n")
        self.assertEqual(calls, [])

    def test_refuses_a_group_it_does_not_know(self):
        done, _ = self.run_setup("tests", installed=[])
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr, "setup: 'tests' is no group; choose from build, test, bench, lint\n")

    def test_replaces_the_reference_blas(self):
        done, calls = self.run_setup("build", installed=[], blas=REFERENCE)
        self.assertEqual(done.returncode, 0)
        self.assertIn(f"set libblas.so.3-a {OPENBLAS}", calls)

    def test_leaves_another_optimised_blas_alone(self):
        done, calls = self.run_setup("build", installed=[], blas="/opt/intel/libmkl_rt.so")
        self.assertEqual(done.returncode, 0)
        self.assertIn("setup: libblas.so.3-a is /opt/intel/libmkl_rt.so", done.stdout)
        self.assertEqual([call for call in calls if call.startswith("set")], [])


if __name__ == "__main__":
    unittest.main()
