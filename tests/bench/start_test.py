#!/usr/bin/env python3
"""That start_bench and spawn_bench measure what they say, and what becomes of their figures.
usage: start_test.py START_BENCH SPAWN_BENCH [TEST…]"""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "bench"), os.path.join(ROOT, "bench/start")]
START, SPAWN = (os.path.abspath(word) for word in sys.argv[1:3])

import report  # noqa: E402
import start  # noqa: E402
import start_tables as tables  # noqa: E402


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


def span(p50):
    return {"count": 9, "p50_ns": p50, "p99_ns": 2 * p50, "min_ns": p50}


def process(whole, first=None):
    return {"whole": span(whole), "first_output": span(first or whole), "cpu_ns": whole, "faults": 9}


def results(**more):
    subjects = [{"name": name, "label": name.title(), "does": "does", "missing": ""}
                for name in ("wrun-static", "wrun-precompiled", "wasmtime")]
    first = {"load": span(20_000), "instantiate": span(30_000), "both": span(50_000), "first_host_call": span(70_000),
             "faults": 2}
    return {
        "date": "today", "command": "c", "commit": "c", "machine": "m", "system": "s", "load_at_begin": 0, "rounds": 1,
        "absent_modules": [], "subjects": subjects, "modules": {"gojq": 8_000_000, "hello": 147},
        "first": {"gojq": {"wrun-static": first}},
        "cached": {"hello": {"wrun-static": process(800_000)},
                   "gojq": {"wrun-static": process(1_000_000), "wrun-precompiled": process(2_000_000),
                            "wasmtime": process(6_000_000)}},
        "raw": {"gojq": {"wrun-static": process(9e7, 8e7), "wasmtime": process(5e9, 4e9)}},
        **more}


class Marks(unittest.TestCase):
    def test_both_sides_of_a_limit(self):
        text = "\n".join(tables.marks(results()))
        process = "gojq as a process, wasmtime run --allow-precompiled over"
        for line in ("artifact in the page cache → first instruction of gojq, p50: "
                     "50.0 µs, wanted ≤ 60: pass, 17 % to spare",
                     "hello from the cache, whole process, p50: 0.80 ms, wanted ≤ 1: pass, 20 % to spare",
                     f"{process} wrun-static, p50: 6.0 times, wanted ≥ 5: pass",
                     f"{process} wrun-precompiled, p50: 3.0 times, wanted ≥ 5: miss",
                     "raw gojq, first output, wasmtime over wrun-static, p50: 50.0 times, wanted ≥ 20: pass"):
            self.assertIn(line + "\n", text + "\n")

    def test_what_is_not_there_is_no_pass(self):
        failed = {"failed": "why"}
        text = "\n".join(tables.marks(results(first={"gojq": {"wrun-static": failed}}, raw={},
                                              cached={"hello": {}, "gojq": {"wrun-static": failed}})))
        self.assertNotIn("pass", text)

    def test_the_page_has_all_places(self):
        with open(os.path.join(ROOT, "docs/start.md")) as file:
            page = file.read()
        made = list(tables.tables(results()))
        self.assertEqual(sorted(re.findall(r"<!-- measured: (\w+) -->", page)), sorted(name for name, _ in made))
        text = report.replace_tables(page, made)
        self.assertIn("| gojq | 8.0 MB | 20.0 / 40.0 | 30.0 / 60.0 | 50.0 / 100 | 70.0 / 140 | 2.00 |", text)
        self.assertIn("| gojq | 1.00 / 2.00 | 2.00 / 4.00 | 6.00 / 12.0 |", text)


class Programs(unittest.TestCase):
    def test_a_process_is_timed(self):
        seen = run(SPAWN, "3", "7", "sh", "-c", "sleep 0.05; echo a; sleep 0.05; exit 7")
        self.assertEqual(seen["whole"]["count"], 3)
        self.assertGreater(seen["first_output"]["min_ns"], 50_000_000)
        self.assertGreater(seen["whole"]["min_ns"], seen["first_output"]["min_ns"] + 50_000_000)
        self.assertEqual(run(SPAWN, "1", "0", "true")["first_output"]["count"], 0)

    def test_a_process_that_fails(self):
        self.assertIn("error: spawn_bench: false ended with 1, not 0", run(SPAWN, "3", "0", "false"))
        self.assertIn("error: spawn_bench: /nowhere: No such file", run(SPAWN, "3", "0", "/nowhere"))

    def test_a_start_reaches_the_first_call(self):
        with tempfile.NamedTemporaryFile(suffix=".wasm") as file:
            file.write(start.HELLO)
            file.flush()
            seen = run(START, "--count", "20", file.name)
        self.assertEqual(seen["first_host_call"]["count"], 20)
        self.assertGreater(seen["first_host_call"]["min_ns"], seen["both"]["min_ns"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]])
