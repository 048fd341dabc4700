#!/usr/bin/env python3
"""That cold_bench's handlers do what they say under wrun, and what becomes of its figures.
usage: cold_test.py COLD_BENCH [TEST…]     Modules are assembled by the wasmtime wheel; without it they are skipped."""
import json
import os
import re
import subprocess
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "bench"), os.path.join(ROOT, "bench/cold")]
PROGRAM = os.path.abspath(sys.argv[1])

import report  # noqa: E402
import tables  # noqa: E402


def run(*words):
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


KNOWN = run("list")
HAS_WHEEL = any(not subject["missing"] for subject in KNOWN["subjects"] if subject["name"].startswith("wasmtime"))


def span(p50, p99=None):
    return {"count": 9, "p50_ns": p50, "p99_ns": p99 or 2 * p50, "min_ns": p50}


def cycle(p50, faults=0):
    return {"cycle": span(p50), "start": span(1), "call": span(2), "finish": span(3), "nothing": span(p50),
            "system_call": span(200), "faults_per_cycle": faults, "timer_ns": 20}


def results(**more):
    subjects = [{"name": name, "label": name.title(), "does": "does", "is_native": False, "missing": ""}
                for name in ("wrun", "wasmtime-pool")]
    large = {"bound": {"start": span(6000), "finish": span(900)},
             "unbound": {"start": span(25_000), "finish": span(2000)}}
    return {
        "date": "today", "command": "c", "commit": "c", "machine": "m", "system": "s", "load_at_begin": 0, "rounds": 1,
        "absent_modules": [], "subjects": subjects, "handlers": [{"name": "empty", "does": "nothing"}],
        "cycles": {"empty": {"wrun": cycle(400), "wasmtime-pool": cycle(2800)}, "pages-4": {"wrun": cycle(900, 0.5)}},
        "threads": {"empty": {"wrun": {"alone": span(400), "at_once": span(440)}}},
        "large": {"gojq": {"wrun": large}},
        "live": {"medium": {"wrun": {"count": 10_000, "hot_bytes": 16_384, "private_dirty_bytes_each": 24_576,
                                     "start_and_call": span(9)}}},
        **more}


class Marks(unittest.TestCase):
    def lines(self, **more):
        return "\n".join(tables.marks(results(**more)))

    def test_both_sides_of_a_limit(self):
        text = self.lines()
        for line in ("start + `empty` + reset, watched by page faults, p50: 0.40 µs, wanted ≤ 0.5: pass, 20 % to spare",
                     "start + `pages-4` + reset, watched by page faults, p50: "
                     "0.90 µs, wanted ≤ 0.6: miss, 50 % too much",
                     "start + `pages-16` + reset, watched by page faults, p50: not measured",
                     "start + `empty` + reset, watched by writes, p50: not measured",
                     "two threads over one alone, `empty`, watched by page faults, p50: "
                     "1.10 times, wanted ≤ 1.15: pass, 4 % to spare",
                     "page faults per cycle, `empty`, watched by page faults: 0 faults, wanted ≤ 0: pass",
                     "page faults per cycle, `pages-4`, watched by page faults: 0.50 faults, wanted ≤ 0: miss",
                     "start of gojq in a slot that is pre-bound, p50: 6.00 µs, wanted ≤ 5: miss, 20 % too much",
                     "start of gojq in a slot that is unbound, p50: 25.0 µs, wanted ≤ 250: pass, 90 % to spare",
                     "private memory of each of 10,000 live instances (hot set + 16 KiB): 24.0 KiB, wanted ≤ 32: "
                     "pass, 25 % to spare"):
            self.assertIn(line + "\n", text + "\n")

    def test_floors_stand_beside(self):
        cells = {name: cycle(p50) for name, p50 in (("wrun", 400), ("native-copy", 10), ("native-gate", 310))}
        self.assertIn("to spare\nthe same in plain C++: the copy alone 0.01 µs, with `getrusage` 0.31 µs\n",
                      self.lines(cycles={"empty": cells}))

    def test_what_failed_or_is_not_there_is_no_pass(self):
        text = self.lines(cycles={"empty": {"wrun": {"failed": "why"}}}, live={}, large={})
        self.assertNotRegex(text, "reset.*pass|per cycle.*pass|gojq.*pass|live.*pass")


class Tables(unittest.TestCase):
    def table(self, name, **more):
        return "\n".join(dict(tables.tables(results(**more)))[name])

    def test_cells(self):
        self.assertIn("| empty | 0.40 / 0.80 | 2.80 / 5.60 |", self.table("cycle"))
        self.assertIn("| empty | 1.00 | 7.00 |", self.table("ratio"))
        self.assertIn("| empty | 2.00 / 4.00 | 14.0 / 28.0 |", self.table("calls"))
        self.assertIn("| pages-4 | 0.90 / 1.80 | – |", self.table("cycle"))
        self.assertIn("| gojq | 6.00 / 12.0; 0.90 |", self.table("large_bound"))

    def test_a_failure_is_shown(self):
        text = self.table("cycle", cycles={"empty": {"wrun": {"failed": "why"}}})
        self.assertIn("| empty | failed |", text)
        self.assertIn("Wrun failed on empty: why.", text)

    def test_figures_are_medians_of_rounds(self):
        seen = {("cycles", "empty", "wrun", at): {"key": [], "figures": {"cycle": span(p50)}}
                for at, p50 in enumerate((7, 1, 5))}
        seen["cycles", "pages-4", "wrun", 0] = {"key": [], "failed": "why"}
        journal = type("Journal", (), {"seen": seen, "facts": {"date": "d"}})
        merged = tables.summarize(journal, {"subjects": [], "handlers": []}, 3)
        self.assertEqual(merged["cycles"]["empty"]["wrun"]["cycle"], span(5, 10))
        self.assertEqual(merged["cycles"]["pages-4"]["wrun"], {"failed": "why"})

    def test_the_page_has_all_places(self):
        with open(os.path.join(ROOT, "docs/cold-start.md")) as file:
            page = file.read()
        self.assertEqual(sorted(re.findall(r"<!-- measured: (\w+) -->", page)),
                         sorted(name for name, _ in tables.tables(results())))
        self.assertIn("0.40 / 0.80", report.replace_tables(page, tables.tables(results())))


class Program(unittest.TestCase):
    def test_what_is_measured_is_there(self):
        names = {subject["name"] for subject in KNOWN["subjects"]}
        for wanted in (tables.THREADS, tables.LARGE, tables.LIVE, tables.STEPS, tables.FLOORS):
            self.assertLessEqual(set(wanted), names)
        self.assertLessEqual(set(tables.CYCLE_US), {handler["name"] for handler in KNOWN["handlers"]})

    def test_unknown_words(self):
        self.assertIn("error: bench: no subject x", run("cycles", "x", "empty", "1"))
        self.assertIn("error: bench: no handler x", run("cycles", "native-copy", "x", "1"))

    def test_native_shapes(self):
        self.assertEqual(run("cycles", "native-copy", "pages-4", "100")["faults_per_cycle"], 0)
        # One for the first write to each page; reads may fault besides.
        self.assertGreaterEqual(run("cycles", "native-drop", "pages-4", "100")["faults_per_cycle"], 4)

    @unittest.skipUnless(HAS_WHEEL, "no wasmtime library")
    def test_all_handlers_in_all_ways_of_wrun(self):
        handlers = [handler["name"] for handler in KNOWN["handlers"]]
        for subject in [subject["name"] for subject in KNOWN["subjects"]]:
            if not subject.startswith("wrun"):
                continue
            for handler in handlers if subject == "wrun" else ("pages-4", "grow", "table-write"):
                with self.subTest(f"{subject} {handler}"):
                    self.assertIsInstance(run("cycles", subject, handler, "20"), dict)

    @unittest.skipUnless(HAS_WHEEL, "no wasmtime library")
    def test_live_instances(self):
        self.assertGreaterEqual(run("live", "wrun-store", "medium", "20")["private_dirty_bytes_each"], 4 * 4096)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
