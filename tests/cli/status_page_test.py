#!/usr/bin/env python3
"""The status page of `wrun serve` as a browser shows it: in headless Chromium, of a server that has answered hostile
requests. With WRUN_SCREENSHOTS=FOLDER its screenshots stay there for people to look at.
usage: status_page_test.py WRUN [TEST…]     Ends with 77, saying why, without chromium or a compiler for guests."""
import html.parser
import http.client
import os
import shutil
import struct
import subprocess
import sys
import threading
import unittest

from cli_test import compiler
from serve_test import Serve as ServeTest

CHROMIUM = shutil.which("chromium")
HOSTILE = "<script>document.title='owned'</script>\"'&<img src=x onerror=\"document.title='owned'\">"
MANIFEST = '''spin_manifest_version = 2
[application]
name = "shop-1"
version = "1.2.3"
[variables]
secret = { default = "hunter2", secret = true }
[[trigger.http]]
route = "/a/..."
component = "a"
executor = { type = "wagi" }
[[trigger.http]]
route = "/<script>document.title='owned';\\u202e/x"
static_response = { status_code = 200, body = "<script>" }
[[trigger.http]]
route = "/a/long/''' + "segment" * 20 + '''"
static_response = { status_code = 404 }
[component.a]
source = "a.wasm"
environment = { TOKEN = "{{ secret }}" }
'''


class Page(html.parser.HTMLParser):
    """Its tags, its cells by row, and its facts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.facts, self.text, self.where = [], [], {}, "", None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        attrs = dict(attrs)
        if tag == "tr":
            self.rows.append({})
        self.where = attrs.get("data-l") if tag == "td" else "Route" if attrs.get("scope") == "row" else \
            tag if tag in ("dt", "dd") else self.where if tag in ("bdi", "span") else None

    def handle_data(self, data):
        self.text += data
        if self.where == "dt":
            self.name = data
        elif self.where == "dd":
            self.facts[self.name] = self.facts.get(self.name, "") + data
        elif self.where and self.rows:
            self.rows[-1][self.where] = self.rows[-1].get(self.where, "") + data

    def handle_endtag(self, tag):
        if tag in ("td", "th", "dt", "dd"):
            self.where = None


class StatusPage(ServeTest):
    def browse(self, url, *words):
        profile = os.path.join(self.folder, "profile")
        return subprocess.run([CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                               "--user-data-dir=" + profile, *words, url],
                              check=True, capture_output=True, timeout=120).stdout.decode()

    def start(self, name):
        if name:
            os.rename(self.handler(), os.path.join(self.folder, name))
            words = [os.path.join(self.folder, name)]
        else:
            self.handler("a.wasm")
            manifest = os.path.join(self.folder, "spin.toml")
            with open(manifest, "w", encoding="utf-8") as file:
                file.write(MANIFEST)
            words = ["-f", manifest]
        return self.serve("--admin-addr", "127.0.0.1:0", "--timeout", "200ms", "--threads", "2", *words)

    def load(self, server, prefix):
        def ask():
            for _ in range(50):
                server.ask(prefix + "/x?" + "%3Cscript%3E", headers={"X-Evil": HOSTILE, "Host": "localhost"})
            for _ in range(2):
                server.ask(prefix + "/trap")
            server.ask(prefix + "/spin")
            server.ask(prefix + "/log")
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def assert_harmless(self, page):
        self.assertEqual(set(page.tags) & {"script", "img", "iframe", "link", "a", "form"}, set())
        self.assertIn("\nwrun: status\n", page.text, "a script has run")
        self.assertNotIn("\u202e", page.text)

    def test_figures_of_a_hostile_manifest(self):
        server = self.start(None)
        self.load(server, "/a")
        self.assertEqual(server.ask("/%3Cscript%3Edocument.title='owned';%E2%80%AE/x"), (200, "<script>"))
        for _ in range(3):
            server.ask("/a/long/" + "segment" * 20)
        server.ask("/nowhere")
        page = Page(self.browse(f"http://127.0.0.1:{server.admin}/", "--dump-dom"))
        self.assert_harmless(page)
        self.assertNotIn("hunter2", page.text)
        rows = {row["Route"]: row for row in page.rows if "Route" in row}
        guest = rows["/a/..."]
        expected = {"Component": "a", "Requests": "216", "2xx": "204", "5xx": "12", "Traps": "8", "Deadlines": "4",
                    "No answer": "0", "Bad answers": "0"}
        self.assertEqual({name: guest[name] for name in expected}, expected)
        self.assertRegex(guest["p50"], r"^< \d+(\.\d)? (µs|ms)$")
        self.assertRegex(guest["p99"], r"^< \d+(\.\d)? (µs|ms|s)$")
        self.assertEqual(rows["/a/long/" + "segment" * 20]["4xx"], "3")
        self.assertEqual(rows["/<script>document.title='owned';\\xe2\\x80\\xae/x"]["2xx"], "1")
        self.assertEqual(page.facts["Traps"], "8")
        self.assertEqual(page.facts["In flight"], "0")
        self.assertRegex(page.facts["Process memory"], r"^\d+ MiB$")
        self.shots(server)

    def test_a_hostile_name_is_text(self):
        server = self.start(HOSTILE.replace("/", "") + "\x1b\u202e.wasm")
        self.load(server, "")
        page = Page(self.browse(f"http://127.0.0.1:{server.admin}/", "--dump-dom"))
        self.assert_harmless(page)
        self.assertIn("<script>document.title=", page.text)
        self.assertIn("\\x1b", page.text)

    def test_scripts_and_foreign_content_are_forbidden(self):
        server = self.start(None)
        connection = http.client.HTTPConnection("127.0.0.1", server.admin, timeout=30)
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertNotRegex(body, r"(src|href)=|url\(|@import")
        self.assertIn("No request has come yet", body)

    def shots(self, server):
        """One for each width and scheme, of that size and with something on it; the rest is for people to see."""
        folder = os.environ.get("WRUN_SCREENSHOTS", self.folder)
        for name, width, more in (("wide", 1400, ()), ("narrow", 500, ()), ("dark", 1400, ("--force-dark-mode",
                "--blink-settings=preferredColorScheme=0"))):
            path = os.path.join(folder, name + ".png")
            self.browse(f"http://127.0.0.1:{server.admin}/", f"--window-size={width},1000", "--screenshot=" + path,
                        *more)
            with open(path, "rb") as file:
                head = file.read(24)
            self.assertEqual(struct.unpack(">II", head[16:24]), (width, 1000))
            self.assertGreater(os.path.getsize(path), 10_000)


del ServeTest  # its tests are run elsewhere

if __name__ == "__main__":
    if not CHROMIUM or not compiler():
        print("skipped: no " + ("chromium" if not CHROMIUM else "compiler for guests"))
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *(sys.argv[2:] or [
        "StatusPage." + name for name in vars(StatusPage) if name.startswith("test_")])])
