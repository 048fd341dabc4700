#!/usr/bin/env python3
"""That bench/run http makes the servers that it measures, that its client tells the truth, and what becomes of figures.
usage: http_test.py FOLDER_OF_PROGRAMS [TEST…]"""
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.environ["WRUN_HTTP_BENCH"] = os.path.abspath(sys.argv[1])
sys.path[:0] = [os.path.join(ROOT, "bench"), os.path.join(ROOT, "bench/http")]

import engines  # noqa: E402
import handlers  # noqa: E402
import http_tables as tables  # noqa: E402
import report  # noqa: E402
import serve  # noqa: E402

NAMES = ("bare", "native", "wagi", "http-wasm", "wasmtime")


def results(**per_second):
    cells = {name: {"cpu_us": 10.0, "user_us": 1.0, "requests_per_second": 100.0} for name in NAMES}
    cells["native"]["cpu_us"] = 11.0
    cells["wasmtime"]["requests_per_second"] = 10.0
    for name, value in per_second.items():
        cells[name]["requests_per_second"] = value
    late = {"rate": 50, "requests": 100, "p50_us": 1.0, "p99_us": 2.0, "p999_us": 3.0, "max_us": 4.0}
    return {
        "date": "today", "command": "c", "commit": "c", "machine": "m", "system": "s", "load_at_begin": 0, "rounds": 1,
        "subjects": [{"name": name, "label": name, "does": "does", "missing": None} for name in NAMES]
        + [{"name": "node", "label": "node", "does": "does", "missing": "node is not there"}],
        "loads": {"single": cells, "latency": {"bare": late, "wagi": {"failed": "answers are missing"}}}}


class Figures(unittest.TestCase):
    def test_both_sides_of_a_limit(self):
        text = "\n".join(tables.marks(results(wagi=80.0)))
        self.assertIn("the bare loop: 1.10, wanted ≤ 1.15: pass", text)
        self.assertIn("WAGI over a C++ handler: 0.80, wanted ≥ 0.8: pass", text)
        self.assertIn("WAGI over wasmtime serve: 8.00, wanted ≥ 5: pass", text)
        text = "\n".join(tables.marks(results(wagi=49.0)))
        self.assertIn("WAGI over a C++ handler: 0.49, wanted ≥ 0.8: miss", text)
        self.assertIn("WAGI over wasmtime serve: 4.90, wanted ≥ 5: miss", text)

    def test_what_is_missing_is_named(self):
        found = results()
        del found["loads"]["single"]["wasmtime"]
        self.assertIn("WAGI over wasmtime serve: not measured", "\n".join(tables.marks(found)))
        made = dict(tables.tables(found))
        self.assertIn("| node | does; skipped: node is not there |", made["machine"])
        self.assertTrue(any("failed: answers are missing" in line for line in made["latency"]))

    def test_the_page_has_a_place_for_each_table(self):
        with open(os.path.join(ROOT, "docs/serve-performance.md")) as file:
            text = file.read()
        page = report.replace_tables(text, tables.tables(results()), "docs/serve-performance.md")
        self.assertNotIn("Not measured.", page)


class Client(unittest.TestCase):
    """http_rate, against servers of which it is known what they do."""

    def ask(self, port, rate):
        done = subprocess.run([handlers.RATE, str(port), "2", str(rate), "1"], capture_output=True, text=True,
                              timeout=60)
        return json.loads(done.stdout) if done.returncode == 0 else done.stderr

    def serve(self, status, seconds):
        class Slow(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                time.sleep(seconds)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server.server_address[1]

    def test_waiting_for_a_connection_is_counted(self):
        # Two connections answer 20 requests in a second, 40 are due: the last of them wait for a second.
        told = self.ask(self.serve(200, 0.1), 40)
        self.assertEqual(told["requests"], 40)
        self.assertGreater(told["p50_us"], 300_000)
        self.assertGreater(told["max_us"], 900_000)

    def test_a_failure_is_no_figure(self):
        self.assertIn("an answer that is not 200", self.ask(self.serve(500, 0), 10))


class Servers(unittest.TestCase):
    def test_each_that_can_be_had_answers(self):
        with tempfile.TemporaryDirectory() as folder:
            found = handlers.subjects(folder)
            for subject in found:
                name = subject.loads[0]
                if subject.missing:
                    print(f"skipped: {subject.label}: {subject.missing}")
                    continue
                with self.subTest(subject.name), serve.Running(subject, serve.LOADS[name]) as running:
                    self.assertTrue(serve.ask(running.port, serve.LOADS[name]))
        missing = [subject.name for subject in found if subject.missing]
        needs = {"wagi", "http-wasm"} if shutil.which("clang-16") else set()
        self.assertFalse({"bare", "native", *needs} & set(missing))

    def test_another_answer_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            bare = next(one for one in handlers.subjects(folder) if one.name == "bare")
            kind = {**serve.LOADS["single"], "answer": b"another"}
            with self.assertRaisesRegex(engines.Failed, "it answers 200"), serve.Running(bare, kind):
                pass


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
