#!/usr/bin/env python3
"""What bench/run makes of its samples, and that the kernels compute under wrun what they do natively.
usage: bench_test.py WRUN [TEST…]     The kernels are compiled by clang-16; without it they are skipped."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench"))
WRUN = os.path.abspath(sys.argv[1])

import corpus  # noqa: E402
import engines  # noqa: E402
import measure  # noqa: E402
import report  # noqa: E402


def ns(milliseconds):
    return {"cpu_ns": {"median": milliseconds * 1e6}, "wall_ns": {"median": milliseconds * 2e6}}


def engine(name, missing=None):
    return {"name": name, "label": name.title(), "how": "how", "missing": missing, "version": "1"}


def results(**more):
    """Two modules of 1 MB: wrun takes 10 and 40 ms, Liftoff 20 and 160, so the mean ratio is √(2·4)."""
    return {
        "engines": [engine("wrun"), engine("liftoff"), engine("winch", "not there")], "date": "today", "command": "c",
        "commit": "c", "machine": "m", "system": "s", "load_at_begin": 0, "absent_modules": ["swc"],
        "modules": {name: {"code_section_bytes": 1_000_000} for name in ("one", "two")},
        "compile": {
            "one": {"wrun": {"compile": ns(10), "validate": ns(1), "machine_code_bytes": 2_000_000},
                    "liftoff": {"compile": ns(20), "validate": ns(1)}, "winch": {"skipped": "not there"}},
            "two": {"wrun": {"compile": ns(40), "validate": ns(1), "machine_code_bytes": 4_490_000},
                    "liftoff": {"compile": ns(160), "validate": ns(1)}, "winch": {"skipped": "not there"}}},
        "threads": {}, "kernel": {},
        "guest": {"long": {"wrun": {"run": ns(100)}, "liftoff": {"run": ns(115)}},
                  "short": {"wrun": {"run": ns(1)}, "liftoff": {"run": ns(9)}}}, **more}


class Figures(unittest.TestCase):
    def test_the_median_is_over_all_rounds(self):
        samples = [{"run": {"cpu_ns": [5, 1]}, "machine_code_bytes": 7}, {"run": {"cpu_ns": [9]}}]
        self.assertEqual(report.figures(samples), {
            "machine_code_bytes": 7, "run": {"cpu_ns": {"median": 5, "min": 1, "max": 9, "samples": 3}}})

    def test_a_failure_in_any_round_is_a_failure(self):
        journal = type("Journal", (), {"seen": {
            ("guest", "wrun", "a", 0): {"samples": {"run": {"cpu_ns": [1]}}},
            ("guest", "wrun", "a", 1): {"failed": "its output is not what is expected"}}})
        one = lambda name: type("Named", (), {"name": name, "missing": None})
        self.assertEqual(report.row(journal, "guest", one("a"), one("wrun"), 2),
                         {"failed": "its output is not what is expected"})
        self.assertIn("skipped", report.row(journal, "guest", one("b"), one("wrun"), 2))

    def test_means_hold_what_both_did(self):
        rows = {"a": {"x": 2, "y": 1}, "b": {"x": None, "y": 1}, "c": {"x": 8, "y": 1}, "d": {"y": 1}}
        self.assertAlmostEqual(report.geomean(report.ratios(rows, lambda name, cell: cell, "x", "y")), 4)
        self.assertIsNone(report.geomean([]))


class Marks(unittest.TestCase):
    def test_first_marks(self):
        compile_, run, code = report.marks(results())
        self.assertEqual(compile_,
                         "validate + compile, speed over Liftoff: 2.83 times, wanted 2.00: pass, 41 % to spare")
        self.assertEqual(run, "run time of guests, speed over Liftoff: 1.15 times, wanted 1.15: pass, 0 % to spare")
        self.assertEqual(code, "code size: 3.00 bytes for each of wasm, wanted 3.00: pass, 0 % to spare")

    def test_what_is_missed(self):
        bad = results()
        bad["compile"]["one"]["wrun"] = {"compile": ns(80), "machine_code_bytes": 4_000_000}
        bad["guest"]["long"]["wrun"] = {"run": ns(116)}
        compile_, run, code = report.marks(bad)
        self.assertRegex(compile_, r"1\.00 times, wanted 2\.00: miss, 50 % short")
        self.assertRegex(run, r"0\.99 times, wanted 1\.15: miss, 14 % short")
        self.assertRegex(code, r"4\.24 bytes for each of wasm, wanted 3\.00: miss, 41 % short")

    def test_what_was_not_measured(self):
        self.assertRegex(report.marks(results(guest={}))[1], "not measured")


class Tables(unittest.TestCase):
    def table(self, name, **more):
        lines = dict(report.tables(results(**more)))[name]
        return "\n".join(line for line in lines if line.startswith("|")) + "\n" + " ".join(
            line for line in lines if not line.startswith("|"))

    def test_speed_and_means(self):
        text = self.table("compile")
        self.assertIn("| module | code bytes | Wrun | Liftoff | Winch |", text)
        self.assertIn("| one | 1 000 000 | 100 | 50.0 | – |", text)
        self.assertIn("|  | **2.83 (2)** | **1.00 (2)** | **–** |", text)
        self.assertIn("Winch was skipped: not there.", text)

    def test_short_guests_are_shown_but_not_in_the_mean(self):
        text = self.table("guests")
        self.assertIn("| short | 1.00 | 9.00 |", text)
        self.assertIn("**1.15 (1)**", text)

    def test_a_failure_is_shown_with_its_reason(self):
        broken = results()["compile"]
        broken["two"]["wrun"] = {"failed": "unsupported: a|b <c>"}
        text = self.table("compile", compile=broken)
        self.assertIn("| two | 1 000 000 | failed | 6.25 |", text)
        self.assertIn("Wrun failed on two: unsupported: a\\|b &lt;c>.", text)
        self.assertIn("**2.00 (1)**", text)

    def test_tables_go_where_they_belong(self):
        page = "a\n<!-- measured: one -->\nold\n<!-- end -->\nb\n<!-- measured: two -->\n<!-- end -->\n"
        self.assertEqual(report.replace_tables(page, [("one", ["new", "lines"])]),
                         "a\n<!-- measured: one -->\nnew\nlines\n<!-- end -->\nb\n"
                         "<!-- measured: two -->\nNot measured.\n<!-- end -->\n")
        with self.assertRaises(SystemExit):
            report.replace_tables(page, [("three", [])])

    def test_the_page_has_all_places(self):
        with open(os.path.join(ROOT, "docs/performance.md")) as file:
            places = re.findall(r"<!-- measured: (\w+) -->", file.read())
        full = results(threads={"one": {"wrun": {"compile": ns(1)}, "liftoff": {"compile": ns(1)}}})
        self.assertEqual(sorted(places), sorted(name for name, _ in report.tables(full)))


class Journal(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp(prefix="wrun-bench-")
        self.addCleanup(shutil.rmtree, folder)
        self.path = os.path.join(folder, "samples.jsonl")
        journal = measure.Journal(self.path, ["id"], fresh=False)
        self.assertIsNone(journal.facts)
        journal.begin({"date": "then"})
        journal.add(["guest", "wrun", "a", 0], {"samples": 1})

    def open(self, identity="id", fresh=False):
        return measure.Journal(self.path, [identity], fresh)

    def test_goes_on_where_it_was(self):
        with open(self.path, "a") as file:
            file.write('{"key": ["cut", "of')
        journal = self.open()
        self.assertEqual(journal.facts, {"date": "then"})
        self.assertEqual(list(journal.seen), [("guest", "wrun", "a", 0)])
        journal.add(["guest", "wrun", "b", 0], {"failed": "x"})
        self.assertEqual(len(self.open().seen), 2)
        with open(self.path) as file:
            self.assertEqual(len([json.loads(line) for line in file]), 3)

    def test_begins_anew(self):
        self.assertIsNone(self.open("another").facts)
        self.assertIsNone(self.open(fresh=True).facts)


class Peers(unittest.TestCase):
    def test_reasons_name_no_folders(self):
        self.assertEqual(engines.reason(b"start\nwrun: /a/b c/d/x.wasm: bad at 3\n"), "wrun: b c/d/x.wasm: bad at 3")
        self.assertEqual(engines.reason(b"/x/y.js:1:2 CompileError: at\n\nStack:\n @x\n"), "y.js:1:2 CompileError: at")

    def test_failing_processes(self):
        with self.assertRaisesRegex(engines.Failed, "^no such thing$"):
            engines.execute(["sh", "-c", "echo no such thing >&2; exit 3"])
        with self.assertRaisesRegex(engines.Failed, "^exit code 3$"):
            engines.execute(["sh", "-c", "exit 3"])
        self.assertEqual(engines.execute(["sh", "-c", "cat; echo x"], stdin=__file__).out[-2:], b"x\n")

    def test_modules_are_of_pinned_packages(self):
        with open(os.path.join(ROOT, "bench/npm.lock")) as file:
            pinned = {f"{name.replace('/', '-')}-{version}" for name, version, _ in map(str.split, file)}
        for place in [*corpus.NPM_MODULES.values(), engines.Node.program.partition("/npm/")[2]]:
            self.assertIn(place.split("/")[0], pinned)


@unittest.skipUnless(shutil.which("clang-16"), "no clang-16")
class Kernels(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="wrun-bench-")
        self.addCleanup(shutil.rmtree, self.folder)

    def test_all_compute_what_they_do_natively(self):
        kernels = corpus.kernels(self.folder)
        self.assertGreater(len(kernels), 8)
        for kernel in kernels:
            with self.subTest(kernel.name):
                done = subprocess.run([WRUN, "--invoke", "run", kernel.path, str(kernel.work)], capture_output=True)
                self.assertEqual(int(done.stdout) % 2**32, kernel.expected)

    def test_as_programs_they_check_themselves(self):
        source = os.path.join(ROOT, "bench/kernels/fib.c")
        for expected, code in (("55", 0), ("56", 134)):
            path = os.path.join(self.folder, "fib.wasm")
            subprocess.run(["clang-16", "--target=wasm32", "-nostdlib", "-Wl,--no-entry", "-I", ROOT,
                            "-DWORK=10", "-DEXPECTED=" + expected, "-o", path, source], check=True)
            self.assertEqual(subprocess.run([WRUN, path], capture_output=True).returncode, code)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
