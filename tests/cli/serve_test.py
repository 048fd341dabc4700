#!/usr/bin/env python3
"""`wrun serve` as an operator runs it: started, asked, signalled, given wrong things.
usage: serve_test.py WRUN [TEST…]     Says what it skips without a compiler for guests (clang-16, wasi-libc)."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import wat
from cli_test import HERE, WRUN, CliTest, compiler

PATIENCE_S = 30


class Server:
    """A running `wrun serve` at a port of the system's choice."""

    def __init__(self, wrun, *words, env=None, is_read=True):
        self.process = subprocess.Popen([wrun, "serve", "--addr", "127.0.0.1:0", *words], stderr=subprocess.PIPE,
                                        text=True, errors="replace", env=env)
        self.lines = []
        self.port = self.admin = None
        while self.port is None:
            line = self.process.stderr.readline()
            if not line:
                raise AssertionError("it does not serve: " + "".join(self.lines))
            self.lines.append(line)
            admin = re.search(r"admin page is at http://127.0.0.1:(\d+)", line)
            self.admin = int(admin[1]) if admin else self.admin
            found = re.search(r"serving .* at http://127.0.0.1:(\d+)", line)
            self.port = int(found[1]) if found else None
        self.reader = threading.Thread(target=self.read, daemon=True)
        if is_read:
            self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def ask(self, path, method="GET", port=None, timeout=PATIENCE_S, **more):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            connection.request(method, path, **more)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def log(self):
        return "".join(self.lines)

    def wait_for(self, what):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if what():
                return True
            time.sleep(0.02)
        return False

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(PATIENCE_S)
        if self.reader.ident is not None:
            self.reader.join(PATIENCE_S)
        self.process.stderr.close()
        return code


def has_said(path, text):
    with open(path, encoding="utf-8") as log:
        return text in log.read()


class Serve(CliTest):
    def setUp(self):
        super().setUp()
        self.servers = []

    def tearDown(self):
        for server in self.servers:
            if server.process.poll() is None:
                server.process.kill()
                server.end()
        super().tearDown()

    def handler(self, name="handler.wasm", version="one"):
        path = os.path.join(self.folder, name)
        subprocess.run([compiler(), "--target=wasm32-wasi", "-O1", f'-DVERSION="{version}"', "-o", path + ".part",
                        os.path.join(HERE, "handler.c")], check=True)
        os.rename(path + ".part", path)
        return path

    def serve(self, *words, **more):
        self.servers.append(Server(WRUN, *words, **more))
        return self.servers[-1]

    def test_every_request_meets_a_fresh_instance(self):
        server = self.serve(self.handler())
        for _ in range(20):
            self.assertEqual(server.ask("/a?b=c"), (200, "GET /a b=c 1 one\n"))
        self.assertEqual(server.ask("/x", "POST", body=b"ignored"), (200, "POST /x  1 one\n"))
        self.assertEqual(server.ask("/x", "HEAD")[1], "")
        self.assertEqual(server.end(), 0)
        self.assertEqual(len(re.findall(r"GET /a\?b=c 200", server.log())), 20)

    def test_traps_and_deadlines_are_statuses_and_told(self):
        server = self.serve("--timeout", "300ms", self.handler())
        self.assertEqual(server.ask("/trap")[0], 500)
        self.assertEqual(server.ask("/spin")[0], 504)
        self.assertEqual(server.ask("/")[0], 200)
        self.assertEqual(server.end(), 0)
        self.assertRegex(server.log(), r"GET /trap 500 .*failed=trap: unreachable in \S*main")
        self.assertRegex(server.log(), r"GET /spin 504 .*failed=deadline")

    def test_others_go_on_beside_a_guest_that_spins(self):
        server = self.serve("--threads", "1", "--timeout", "2s", self.handler())
        spinner = []
        thread = threading.Thread(target=lambda: spinner.append(server.ask("/spin")[0]))
        thread.start()
        answered = 0
        while thread.is_alive() and answered < 20:
            self.assertEqual(server.ask("/")[0], 200)
            answered += 1
        self.assertTrue(thread.is_alive(), "the others waited for it")
        thread.join()
        self.assertEqual(spinner, [504])

    def test_a_route_has_a_limit_of_its_own(self):
        manifest = os.path.join(self.folder, "spin.toml")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write('spin_manifest_version = 2\n[application]\nname = "a"\n')
            for name in ("one", "two"):
                self.handler(name + ".wasm", name)
                file.write(f'[[trigger.http]]\nroute = "/{name}/..."\ncomponent = "{name}"\n'
                           f'executor = {{ type = "wagi" }}\n[component.{name}]\nsource = "{name}.wasm"\n')
        server = self.serve("--threads", "1", "--max-in-flight-per-route", "1", "--queue-timeout", "100ms",
                            "--timeout", "3s", "-f", manifest)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(server.ask("/one/spin")[0]))
        thread.start()
        time.sleep(0.3)
        self.assertEqual(server.ask("/one/a")[0], 503)
        self.assertEqual(server.ask("/two/a")[0], 200)
        self.assertTrue(thread.is_alive(), "it was not full")
        thread.join()
        self.assertEqual(answers, [504])
        self.assertEqual(server.ask("/one/a")[0], 200)

    def raw(self, server, text, patience_s=PATIENCE_S):
        """All that comes until the server closes, and how long that took."""
        begin = time.monotonic()
        with socket.create_connection(("127.0.0.1", server.port), timeout=patience_s) as client:
            client.sendall(text)
            answer = b""
            while more := client.recv(65536):
                answer += more
        return answer.decode(), time.monotonic() - begin

    def test_each_limit_of_a_connection_is_kept(self):
        server = self.serve("--max-header", "1K", "--max-body", "10", "--idle-timeout", "300ms", "--header-timeout",
                            "400ms", "--body-timeout", "500ms", "--max-response", "20", self.handler())
        self.assertEqual(server.ask("/")[0], 200)
        self.assertEqual(server.ask("/", headers={"X": "y" * 1024})[0], 431)
        self.assertEqual(server.ask("/", "POST", body=b"0123456789")[0], 200)
        self.assertEqual(server.ask("/", "POST", body=b"0123456789a")[0], 413)
        answer, seconds = self.raw(server, b"")
        self.assertEqual(answer, "")
        self.assertTrue(0.25 < seconds < PATIENCE_S / 2, seconds)
        answer, seconds = self.raw(server, b"GET / HTTP/1.1\r\nHost:")
        self.assertTrue(0.35 < seconds < PATIENCE_S / 2, seconds)
        self.assertNotIn(" 200 ", answer)
        self.assertEqual(server.ask("/" + "a" * 20)[0], 502)
        self.assertNotEqual(self.fails("serve", "--max-in-flight-per-route", "0", self.handler()).code, 0)

    def test_all_memories_together_have_a_limit(self):
        server = self.serve("--max-total-memory", "1K", self.handler())
        self.assertEqual(server.ask("/")[0], 503)

    def test_each_limit_of_an_instance_is_kept(self):
        path = self.handler()
        self.assertEqual(self.fails("serve", "--check-config", "--max-memory", "64K", path).code, 1)
        self.assertEqual(self.fails("serve", "--check-config", "--max-memory", "1M", path).code, 0)
        tables = os.path.join(self.folder, "tables.wasm")
        with open(tables, "wb") as file:
            file.write(wat.assemble("""(module (memory (export "memory") 1) (func (export "_start"))
                (table 5 funcref) (table 5 funcref))"""))
        self.assertEqual(self.fails("serve", "--check-config", "--max-table", "10", tables).code, 0)
        done = self.fails("serve", "--check-config", "--max-table", "9", tables)
        self.assertEqual(done.code, 1)
        self.assertIn("table is larger than the limit", done.stderr)

    def test_a_stack_has_a_limit(self):
        deep = self.wasm("""(module
            (import "http_handler" "get_uri" (func $get_uri (param i32 i32) (result i32)))
            (import "http_handler" "write_body" (func $write_body (param i32 i32 i32)))
            (memory (export "memory") 1) (data (i32.const 0) "deep")
            (func $down (param i32) (result i32)
                (if (result i32) (local.get 0)
                    (then (i32.add (i32.const 1) (call $down (i32.sub (local.get 0) (i32.const 1)))))
                    (else (i32.const 0))))
            (func (export "handle_request") (result i64)  ;; a thousand calls for each byte of the target
                (drop (call $down (i32.mul (i32.const 1000) (call $get_uri (i32.const 0) (i32.const 0)))))
                (call $write_body (i32.const 1) (i32.const 0) (i32.const 4))
                (i64.const 0))
            (func (export "handle_response") (param i32 i32)))""", "deep.wasm")
        for size, status in (("64K", 500), ("64M", 200)):
            server = self.serve("--max-stack", size, deep)
            for _ in range(3):
                self.assertEqual(server.ask("/" + "a" * 99)[0], status, size)
                self.assertEqual(server.ask("/"), (200, "deep"))
            self.assertEqual(server.end(), 0)
            self.assertEqual(len(re.findall("/a+ 500 .*failed=trap: call stack exhausted", server.log())),
                             3 if status == 500 else 0)
        self.assertEqual(self.fails("serve", "--max-stack", "1K", deep).code, 2)

    def test_what_guests_say_is_told_and_harmless(self):
        server = self.serve(self.handler())
        server.ask("/log")
        self.assertEqual(server.end(), 0)
        self.assertRegex(server.log(), r"guest id=\w+ handler: one\\x1b\[31m\n")
        self.assertRegex(server.log(), r"guest id=\w+ handler: two\n")

    def test_json_lines(self):
        server = self.serve("--log-format", "json", "--timeout", "200ms", self.handler())
        server.ask('/"quoted"')
        server.ask("/spin")
        self.assertEqual(server.end(), 0)
        lines = [json.loads(line) for line in server.lines if line.startswith("{")]
        self.assertEqual([(line["target"], line["status"]) for line in lines],
                         [('/"quoted"', 200), ("/spin", 504)])
        self.assertEqual(lines[1]["failure"], "deadline")

    def test_operators_see_what_happens(self):
        server = self.serve("--admin-addr", "127.0.0.1:0", self.handler("<b>.wasm"))
        for _ in range(3):
            server.ask("/")
        server.ask("/trap")
        self.assertEqual(server.ask("/healthz", port=server.admin), (200, "ok\n"))
        self.assertEqual(server.ask("/readyz", port=server.admin), (200, "ready\n"))
        self.assertEqual(server.ask("/nothing", port=server.admin)[0], 404)
        self.assertEqual(server.ask("/metrics", "POST", port=server.admin)[0], 405)
        status = json.loads(server.ask("/status", port=server.admin)[1])
        self.assertEqual(status["routes"][0]["requests"], 4)
        self.assertEqual(status["routes"][0]["failures"]["trap"], 1)
        metrics = server.ask("/metrics", port=server.admin)[1]
        self.assertIn('wrun_requests_total{http_route="/...",component="<b>",status="2xx"} 3\n', metrics)
        self.assertIn('_count{http_route="/...",component="<b>"} 4\n', metrics)
        page = server.ask("/", port=server.admin)[1]
        self.assertIn("&lt;b&gt;", page)
        self.assertNotIn("<b>", page)

    def test_a_signal_loads_it_again_and_a_mistake_leaves_what_is(self):
        path = self.handler()
        server = self.serve(path)
        self.assertIn(" one\n", server.ask("/")[1])
        self.handler(version="two")
        server.process.send_signal(signal.SIGHUP)
        self.assertTrue(server.wait_for(lambda: " two\n" in server.ask("/")[1]))
        with open(path, "wb") as file:
            file.write(b"nonsense")
        server.process.send_signal(signal.SIGHUP)
        self.assertTrue(server.wait_for(lambda: "not loaded again" in server.log()))
        self.assertIn(" two\n", server.ask("/")[1])

    def test_instances_serve_as_often_as_they_are_told_to(self):
        path = os.path.join(self.folder, "count.wasm")
        with open(path, "wb") as file:
            file.write(wat.assemble("""(module
                (import "http_handler" "write_body" (func $write_body (param i32 i32 i32)))
                (memory (export "memory") 1) (global $n (mut i32) (i32.const 48))
                (func (export "handle_request") (result i64)
                    (global.set $n (i32.add (global.get $n) (i32.const 1)))
                    (i32.store8 (i32.const 0) (global.get $n))
                    (call $write_body (i32.const 1) (i32.const 0) (i32.const 1))
                    (i64.const 0))
                (func (export "handle_response") (param i32 i32)))"""))
        server = self.serve("--reuse", "4", "--threads", "2", path)
        said = [server.ask("/")[1] for _ in range(200)]
        self.assertEqual(set(said), set("1234"))
        self.assertGreaterEqual(said.count("4"), 40)
        # What was kept goes with what it was made of.
        server.process.send_signal(signal.SIGHUP)
        self.assertTrue(server.wait_for(lambda: "loaded again" in server.log()))
        self.assertIn(server.ask("/")[1], "1234")
        self.assertEqual(server.end(), 0)
        fresh = self.serve(path)
        self.assertEqual({fresh.ask("/")[1] for _ in range(20)}, {"1"})
        done = self.fails("serve", "--reuse", "2", self.handler())
        self.assertEqual(done.code, 1, done.stderr)
        self.assertIn("Leave --reuse at 1", done.stderr)

    def test_a_signal_opens_the_log_file_again(self):
        log = os.path.join(self.folder, "log")
        server = self.serve("--log-file", log, self.handler())
        server.ask("/before")
        self.assertTrue(server.wait_for(lambda: has_said(log, "GET /before")))
        os.rename(log, log + ".1")
        server.process.send_signal(signal.SIGHUP)
        self.assertTrue(server.wait_for(lambda: os.path.exists(log)))
        server.ask("/after")
        self.assertTrue(server.wait_for(lambda: has_said(log, "GET /after")))

    def test_why_it_was_not_loaded_again_is_in_the_log(self):
        for log_format in ("text", "json"):
            log = os.path.join(self.folder, "log." + log_format)
            path = self.handler()
            server = self.serve("--log-file", log, "--log-format", log_format, path)
            with open(path, "wb") as file:
                file.write(b"nonsense")
            server.process.send_signal(signal.SIGHUP)
            self.assertTrue(server.wait_for(lambda: has_said(log, "not loaded again")))
            server.end()
            with open(log, encoding="utf-8") as file:
                lines = file.read().splitlines()
            self.assertEqual(len(lines), 2)
            if log_format == "json":
                lines = [json.loads(line)["line"] for line in lines]
            self.assertRegex(lines[0], r"handler\.wasm: .*magic header not detected")
            self.assertNotIn("nonsense", server.log())
            self.assertEqual(len(server.lines), 1, server.log())

    def test_a_configuration_is_checked_with_its_log(self):
        path = self.handler()
        log = os.path.join(self.folder, "log")
        self.assertEqual(self.fails("serve", "--check-config", "--log-file", log, path).code, 0)
        self.assertFalse(os.path.exists(log), "a file that root makes is none that the server could write")
        with open(log, "w", encoding="utf-8") as file:
            file.write("as it was")
        self.assertEqual(self.fails("serve", "--check-config", "--log-file", log, path).code, 0)
        with open(log, encoding="utf-8") as file:
            self.assertEqual(file.read(), "as it was")
        for where, why in ((self.folder, "Is a directory"), (self.folder + "/none/log", "No such file"),
                           (log + "/log", "Not a directory")):
            done = self.fails("serve", "--check-config", "--log-file", where, path)
            self.assertEqual(done.code, 1)
            self.assertIn(f"{where}: {why}", done.stderr)

    def test_a_cache_that_cannot_be_is_said_once(self):
        manifest = os.path.join(self.folder, "spin.toml")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write('spin_manifest_version = 2\n[application]\nname = "a"\n')
            for name in ("one", "two", "three"):
                self.handler(name + ".wasm", name)
                file.write(f'[[trigger.http]]\nroute = "/{name}"\ncomponent = "{name}"\n'
                           f'executor = {{ type = "wagi" }}\n[component.{name}]\nsource = "{name}.wasm"\n')
        done = self.fails("serve", "-f", manifest, "--check-config",
                          env={**os.environ, "WRUN_CACHE_DIR": "/proc/nowhere"})
        self.assertEqual(done.code, 0, done.stderr)
        self.assertEqual(done.stderr.count("compiled modules are not kept"), 1, done.stderr)

    def test_watching_loads_it_again(self):
        server = self.serve("--watch", self.handler())
        self.assertIn(" one\n", server.ask("/")[1])
        self.handler(version="two")
        self.assertTrue(server.wait_for(lambda: " two\n" in server.ask("/")[1]))

    def test_the_end_waits_for_what_has_begun(self):
        server = self.serve("--timeout", "700ms", "--threads", "1", self.handler())
        answers = []
        thread = threading.Thread(target=lambda: answers.append(server.ask("/spin")[0]))
        thread.start()
        time.sleep(0.2)
        self.assertEqual(server.end(), 0)
        thread.join()
        self.assertEqual(answers, [504])

    def test_a_second_signal_ends_at_once(self):
        server = self.serve("--timeout", "1h", "--drain-timeout", "1h", self.handler())

        def hang():
            try:
                server.ask("/spin")
            except (OSError, http.client.HTTPException):
                pass
        thread = threading.Thread(target=hang)
        thread.start()
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        self.assertIsNone(server.process.poll())
        self.assertEqual(server.end(), 0)
        thread.join()

    def test_a_killed_server_starts_again_from_the_cache(self):
        handler = self.handler()
        cache = os.path.join(self.folder, "cache")
        env = {**os.environ, "WRUN_CACHE_DIR": cache}

        def kept():
            names = os.listdir(cache) if os.path.isdir(cache) else []
            return {name: os.stat(os.path.join(cache, name)) for name in names if name.endswith(".wrun")}
        first = self.serve(handler, env=env)
        stop = threading.Event()

        def press():
            while not stop.is_set():
                try:
                    first.ask("/")
                except (OSError, http.client.HTTPException):
                    pass
        clients = [threading.Thread(target=press) for _ in range(4)]
        for client in clients:
            client.start()
        self.assertTrue(first.wait_for(kept))
        (name, _), = kept().items()
        os.utime(os.path.join(cache, name), (0, 0))
        before = kept()[name]
        first.process.kill()
        first.end()
        stop.set()
        for client in clients:
            client.join()
        second = self.serve(handler, env=env)
        self.assertEqual(second.ask("/a"), (200, "GET /a  1 one\n"))
        self.assertEqual(second.end(), 0)
        self.assertEqual([name], list(kept()))
        after = kept()[name]
        self.assertEqual(after.st_ino, before.st_ino, "nothing was compiled again")
        self.assertGreater(after.st_mtime_ns, before.st_mtime_ns, "uses are noted")

    def ask_unix(self, path):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE_S)
            client.connect(path)
            client.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = b""
            while more := client.recv(65536):
                answer += more
            return answer.decode()

    def test_unix_sockets_go_with_their_server(self):
        handler = self.handler()
        path = os.path.join(self.folder, "wrun.sock")
        words = ("--addr", "unix:" + path, "--threads", "2", handler)
        first = self.serve(*words)
        for _ in range(5):
            self.assertIn("GET /a  1 one\n", self.ask_unix(path))
        done = self.fails("serve", *words)
        self.assertEqual(done.code, 1, "a socket that somebody serves is theirs")
        self.assertIn("Address already in use", done.stderr)
        self.assertIn("GET /a  1 one\n", self.ask_unix(path))
        first.process.kill()
        first.end()
        self.assertTrue(os.path.exists(path))
        second = self.serve(*words)
        self.assertIn("GET /a  1 one\n", self.ask_unix(path))
        self.assertEqual(second.end(), 0)
        self.assertFalse(os.path.lexists(path))

    def test_what_is_no_socket_of_ours_stays(self):
        handler = self.handler()
        path = os.path.join(self.folder, "wrun.sock")
        with open(path, "w", encoding="utf-8") as file:
            file.write("a letter")
        link = os.path.join(self.folder, "link.sock")
        os.symlink(path, link)
        for name in (path, link):
            self.assertEqual(self.fails("serve", "--addr", "unix:" + name, handler).code, 1)
        with open(link, encoding="utf-8") as file:
            self.assertEqual(file.read(), "a letter")
        os.unlink(path)
        server = self.serve("--addr", "unix:" + path, handler)
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
            self.assertEqual(server.end(), 0)
            self.assertTrue(os.path.lexists(path), "somebody else's by now")

    def notices(self, name):
        """A service manager's socket, and a server's environment that names it."""
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        manager.settimeout(PATIENCE_S)
        return manager, {**os.environ, "NOTIFY_SOCKET": name}

    def test_the_service_manager_is_told(self):
        for name in (os.path.join(self.folder, "notify"), "@wrun-test-%d" % os.getpid()):
            manager, env = self.notices(name)
            path = self.handler()
            server = self.serve(path, env=env)
            self.assertEqual(manager.recv(500), b"READY=1")
            self.assertEqual(server.ask("/")[0], 200)
            before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
            server.process.send_signal(signal.SIGHUP)
            told = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)", manager.recv(500))
            self.assertTrue(told, "one message with both")
            self.assertLessEqual(before, int(told[1]))
            self.assertLessEqual(int(told[1]), time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
            self.assertEqual(manager.recv(500), b"READY=1")
            with open(path, "wb") as file:
                file.write(b"nonsense")
            server.process.send_signal(signal.SIGHUP)
            self.assertIn(b"RELOADING=1\n", manager.recv(500))
            self.assertEqual(manager.recv(500), b"READY=1", "what was served still is")
            self.assertEqual(server.end(), 0)
            self.assertEqual(manager.recv(500), b"STOPPING=1")

    def given(self, sockets, pid, *words):
        """Starts a server that inherits these from descriptor 3 on; pid as a program's text."""
        program = """import os, sys
count = int(sys.argv[1])
high = [os.dup(int(one)) for one in sys.argv[2:2 + count]]
high = [__import__("fcntl").fcntl(one, 0, 100) for one in high]
for index, one in enumerate(high):
    os.dup2(one, 3 + index)
os.environ.update(LISTEN_PID=str(%s), LISTEN_FDS=str(count), LISTEN_FDNAMES=":".join(["web"] * count))
os.execv(sys.argv[2 + count], sys.argv[2 + count:])""" % pid
        numbers = [str(one.fileno()) for one in sockets]
        environment = {key: value for key, value in os.environ.items() if key != "PORT"}
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(len(sockets)), *numbers, WRUN, "serve", *words],
            pass_fds=[one.fileno() for one in sockets], stderr=subprocess.PIPE, text=True, env=environment)
        self.addCleanup(process.stderr.close)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def listening(self):
        one = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(one.close)
        return one

    def test_sockets_that_listen_already_are_taken_over(self):
        first, second = self.listening(), self.listening()
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(silent.close)
        process = self.given([first, silent, second], "os.getpid()", self.handler())
        ask = Server.ask
        for one in (first, second):
            # Nobody has to wait until it serves: the socket did listen before.
            self.assertEqual(ask(None, "/", port=one.getsockname()[1])[0], 200)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE_S), 0)
        told = process.stderr.read()
        self.assertIn("at descriptor 3\n", told)
        self.assertIn("at descriptor 5\n", told)
        self.assertNotIn("at descriptor 4", told, "it does not listen")
        self.assertNotIn("127.0.0.1:3000", told)

    def test_sockets_for_another_process_are_not(self):
        process = self.given([self.listening()], "os.getppid()", "--addr", "127.0.0.1:0", self.handler())
        line = process.stderr.readline()
        self.assertRegex(line, r"serving .* at http://127.0.0.1:\d+\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE_S), 0)
        self.assertNotIn("descriptor", process.stderr.read())

    def test_packaging_uses_options_that_there_are(self):
        packaging = os.path.join(HERE, "..", "..", "packaging")
        known = self.fails("serve", "--help").stdout
        for name in ("wrun.service", "Containerfile"):
            with open(os.path.join(packaging, name), encoding="utf-8") as file:
                lines = [line for line in file if line.startswith(("Exec", "ENTRYPOINT", "CMD"))]
            used = [word for line in lines for word in re.findall(r"(?<=[\s\"])-[-a-z]+", line) if word != "-HUP"]
            self.assertGreaterEqual(len(used), 3)
            for word in used:
                self.assertRegex(known, rf"(?m)^  (-\w,)?{word}\b|^  {word},", name)

    def test_a_manifest(self):
        self.handler("a.wasm")
        os.makedirs(os.path.join(self.folder, "assets"))
        manifest = os.path.join(self.folder, "spin.toml")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write('''spin_manifest_version = 2
[application]
name = "shop"
version = "1.2.3"
[variables]
greeting = { required = true, secret = true }
[[trigger.http]]
route = "/a/..."
component = "a"
executor = { type = "wagi" }
[[trigger.http]]
route = "/fixed"
static_response = { status_code = 418, body = "short\\n" }
[[trigger.http]]
route = { private = true }
component = "a"
[component.a]
source = "a.wasm"
environment = { GREETING = "{{ greeting }}" }
''')
        self.assertEqual(self.fails("serve", "-f", manifest, "--check-config").code, 1)
        # A container of the program alone has no folder for temporary files; this manifest needs none.
        server = self.serve("-f", manifest, "--variable", "greeting=hi", env={**os.environ, "TMPDIR": "/nonexistent"})
        self.assertEqual(server.ask("/a/b"), (200, "GET /b  1 hi\n"))
        self.assertEqual(server.ask("/fixed"), (418, "short\n"))
        self.assertEqual(server.ask("/other")[0], 404)
        self.assertEqual(server.ask("/.well-known/spin/health")[0], 200)
        self.assertIn('"shop"', server.ask("/.well-known/spin/info")[1])
        self.assertEqual(server.ask("/a/%2e%2e/fixed")[0], 400)

    def fails(self, *words, env=None):
        done = subprocess.run([WRUN, *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=env)
        done.code = done.returncode
        return done

    def test_wrong_things_are_refused_by_name(self):
        path = self.handler()
        for words, code, said in [
                (["serve"], 2, "name a MODULE or a spin.toml"),
                (["serve", "-f", "x", path], 2, "one of them"),
                (["serve", "--addr", "nowhere", path], 2, "not 'nowhere'"),
                (["serve", "--addr", "::1:80", path], 2, "an address is such as"),
                (["serve", "--addr", "nowhere:80", path], 2, "not 'nowhere:80'"),
                (["serve", "--addr", "[::zz]:0", path], 2, "not '[::zz]:0'"),
                (["serve", "--upstream", "http://127.0.0.1:9", path], 1, "no handler here passes requests on"),
                (["serve", "--upstream", "127.0.0.1:9", path], 2, "--upstream: an upstream is such as"),
                (["serve", "--upstream", "https://a", path], 2, "over https is not there yet"),
                (["serve", "--upstream", "http://no.such.host.invalid", path], 1, "--upstream: "),
                (["serve", "--timeout", "5", path], 2, "--timeout wants a time"),
                (["serve", "--max-header", "1G", path], 2, "--max-header may be"),
                (["serve", "/nonexistent.wasm"], 1, "No such file"),
                (["serve", "-f", "/nonexistent.toml"], 1, "No such file")]:
            done = self.fails(*words)
            self.assertEqual(done.code, code, done.stderr)
            self.assertIn(said, done.stderr)
        for port in ("x", "70000", "-1", "80 ", "1:80"):
            done = self.fails("serve", path, env={**os.environ, "PORT": port})
            self.assertEqual(done.code, 2, done.stderr)
            self.assertIn(f"PORT in the environment is a number up to 65535, not '{port}'", done.stderr)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            where = "127.0.0.1:%d" % taken.getsockname()[1]
            done = self.fails("serve", "--addr", where, path)
            self.assertEqual(done.code, 1)
            self.assertIn("cannot listen at http://" + where, done.stderr)
        not_one = os.path.join(self.folder, "none.wasm")
        with open(not_one, "wb") as file:
            file.write(b"\0asm\1\0\0\0")
        done = self.fails("serve", "--check-config", not_one)
        self.assertEqual(done.code, 1)
        self.assertIn("_start", done.stderr)


if __name__ == "__main__":
    if not compiler():
        print("no compiler for guests")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
