#!/usr/bin/env python3
"""`wrun serve --upstream`: a guest of http-wasm before a server that this test is itself.
usage: serve_upstream_test.py WRUN [TEST…]"""
import hashlib
import http.client
import http.server
import json
import signal
import sys
import threading
import unittest

from serve_test import PATIENCE_S, Serve

# Of these tests alone, not of those that Serve itself has.
for name in [name for name in dir(Serve) if name.startswith("test_")]:
    delattr(Serve, name)


def guest(on_response="", features=0):
    """Answers /private itself, and lets all else through with a field of its own."""
    return f"""(module
        (import "http_handler" "enable_features" (func $enable_features (param i32) (result i32)))
        (import "http_handler" "get_uri" (func $get_uri (param i32 i32) (result i32)))
        (import "http_handler" "set_header_value" (func $set_header_value (param i32 i32 i32 i32 i32)))
        (import "http_handler" "read_body" (func $read_body (param i32 i32 i32) (result i64)))
        (import "http_handler" "write_body" (func $write_body (param i32 i32 i32)))
        (import "http_handler" "set_status_code" (func $set_status_code (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "/private") (data (i32.const 16) "x-guest") (data (i32.const 32) "was here")
        (data (i32.const 48) "mine")
        (func (export "handle_request") (result i64)
            (drop (call $enable_features (i32.const {features})))
            (drop (call $get_uri (i32.const 1024) (i32.const 1024)))
            (if (i64.eq (i64.load (i32.const 0)) (i64.load (i32.const 1024))) (then
                (call $set_status_code (i32.const 403))
                (call $write_body (i32.const 1) (i32.const 48) (i32.const 4))
                (return (i64.const 0))))
            (call $set_header_value
                (i32.const 0) (i32.const 16) (i32.const 7) (i32.const 32) (i32.const 8))
            (i64.const 1))
        (func (export "handle_response") (param $ctx i32) (param $error i32) {on_response}))"""


class Upstream(http.server.ThreadingHTTPServer):
    """Says what it was asked, as JSON; at /echo a body as it came; at /held nothing before it is let."""
    daemon_threads = True
    request_queue_size = 100

    def __init__(self, is_there=True):
        super().__init__(("127.0.0.1", 0), Answers, bind_and_activate=False)
        self.server_bind()
        self.url = "http://127.0.0.1:%d" % self.server_port
        self.seen = []
        self.is_held, self.is_let = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,))
        if is_there:
            self.begin()

    def begin(self):
        self.server_activate()
        self.thread.start()

    def end(self):
        self.is_let.set()
        if self.thread.is_alive():
            self.shutdown()
            self.thread.join()
        self.server_close()

    def handle_error(self, *_):
        """Who waits no more has closed: nothing to tell."""


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.body()
        self.server.seen.append(self.path)
        if self.path.startswith("/held"):
            self.server.is_held.set()
            self.server.is_let.wait(PATIENCE_S)
        if not self.path.startswith("/echo"):
            body = json.dumps({"method": self.command, "path": self.path, "bytes": len(body),
                               "fields": {key.lower(): value for key, value in self.headers.items()}}).encode()
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Upstream", "it")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = answer

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        pass


class Through(Serve):
    def upstream(self, **more):
        made = Upstream(**more)
        self.addCleanup(made.end)
        return made

    def before(self, upstream, *words, wat=guest(), prefix=""):
        return self.serve("--upstream", upstream.url + prefix, *words, self.wasm(wat))

    def held(self, server, upstream):
        """Asks for what is held, in a thread: its answer comes to the list."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(server.ask("/held")[0]))
        thread.start()
        self.assertTrue(upstream.is_held.wait(PATIENCE_S))
        return thread, answers

    def test_requests_go_on_as_the_guest_has_left_them(self):
        upstream = self.upstream()
        server = self.before(upstream, prefix="/base/")
        status, text = server.ask("/a%20b?c=d", headers={"X-Guest": "somebody", "X-Other": "e"})
        self.assertEqual(status, 200)
        got = json.loads(text)
        self.assertEqual((got["method"], got["path"], got["bytes"]), ("GET", "/base/a%20b?c=d", 0))
        for name, value in {"x-guest": "was here", "x-other": "e", "x-forwarded-for": "127.0.0.1", "via": "1.1 wrun",
                            "host": upstream.url[7:], "x-forwarded-host": f"127.0.0.1:{server.port}"}.items():
            self.assertEqual(got["fields"].get(name), value, name)
        got = json.loads(server.ask("/a", "PUT", body=b"0123456789")[1])
        self.assertEqual((got["method"], got["bytes"]), ("PUT", 10))
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        connection.request("HEAD", "/a")
        response = connection.getresponse()
        self.assertEqual((response.status, response.getheader("X-Upstream")), (200, "it"))
        connection.close()
        self.assertEqual(server.end(), 0)
        self.assertRegex(server.log(), r"GET /a%20b\?c=d 200 ")

    def test_a_status_of_the_upstreams_is_the_answers(self):
        upstream = self.upstream()
        self.assertEqual(self.before(upstream).ask("/none")[0], 404)

    def test_what_the_guest_answers_reaches_no_upstream(self):
        upstream = self.upstream()
        server = self.before(upstream)
        self.assertEqual(server.ask("/private"), (403, "mine"))
        self.assertEqual(server.ask("/public")[0], 200)
        self.assertEqual(upstream.seen, ["/public"])

    def test_an_answer_may_be_another_behind_the_upstream(self):
        says = """(drop (call $read_body (i32.const 1) (i32.const 1024) (i32.const 3)))
            (call $set_status_code (i32.const 201))
            (call $set_header_value
                (i32.const 1) (i32.const 16) (i32.const 7) (i32.const 32) (i32.const 8))
            (call $write_body (i32.const 1) (i32.const 48) (i32.const 4))
            (call $write_body (i32.const 1) (i32.const 1024) (i32.const 3))"""
        server = self.before(self.upstream(), wat=guest(says, features=2))
        self.assertEqual(server.ask("/echo", "POST", body=b"abcdef"), (201, "mineabc"))

    def test_bodies_go_through_whole(self):
        server = self.before(self.upstream(), "--threads", "2")
        failures = []

        def echo(number):
            body = b"".join(hashlib.sha256(b"%d %d" % (number, i)).digest() for i in range(1 << 16))
            pieces = [body[at:at + 100_001] for at in range(0, len(body), 100_001)]
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
            for sent, is_chunked in ((body, False), (iter(pieces), True)):
                connection.request("POST", "/echo", body=sent, encode_chunked=is_chunked,
                                   headers={"Transfer-Encoding": "chunked"} if is_chunked else {})
                response = connection.getresponse()
                if (response.status, response.read()) != (200, body):
                    failures.append((number, is_chunked))
            connection.close()
        threads = [threading.Thread(target=echo, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(server.end(), 0)
        self.assertEqual(server.log().count("POST /echo 200 "), 8, server.log())

    def test_an_upstream_may_come_later(self):
        upstream = self.upstream(is_there=False)
        server = self.before(upstream)
        self.assertEqual(server.ask("/a")[0], 502)
        self.assertEqual(server.ask("/private")[0], 403, "it needs none")
        upstream.begin()
        self.assertEqual(server.ask("/a")[0], 200)
        self.assertEqual(server.end(), 0)
        self.assertRegex(server.log(), r"GET /a 502 .*failed=bad_response: the upstream cannot be reached")

    def test_an_upstream_that_does_not_answer_holds_nobody_up(self):
        upstream = self.upstream()
        server = self.before(upstream, "--threads", "1", "--timeout", "1h")
        thread, answers = self.held(server, upstream)
        for _ in range(20):
            self.assertEqual(server.ask("/a")[0], 200)
        self.assertEqual(answers, [])
        upstream.is_let.set()
        thread.join()
        self.assertEqual(answers, [200])

    def test_an_upstream_has_the_requests_time(self):
        server = self.before(self.upstream(), "--timeout", "300ms")
        self.assertEqual(server.ask("/held")[0], 504)
        self.assertEqual(server.end(), 0)
        self.assertRegex(server.log(), r"GET /held 504 .*failed=deadline: the upstream has not answered in time")

    def test_what_has_begun_ends_well(self):
        upstream = self.upstream()
        server = self.before(upstream, "--timeout", "1h", "--drain-timeout", "1h")
        thread, answers = self.held(server, upstream)
        server.process.send_signal(signal.SIGHUP)
        self.assertTrue(server.wait_for(lambda: "loaded again" in server.log()))
        self.assertEqual(server.ask("/a")[0], 200)
        server.process.send_signal(signal.SIGTERM)
        upstream.is_let.set()
        thread.join()
        self.assertEqual(answers, [200])
        self.assertEqual(server.process.wait(PATIENCE_S), 0)
        server.end()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
