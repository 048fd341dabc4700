#!/usr/bin/env python3
"""`wrun serve` under traffic of every kind for as long as it takes to see that it loses nothing.
usage: serve_soak.py WRUN [--requests N] [--rounds N] [--reloads N] [--drains N] [--seed N] [--any-memory]
                          Says what it skips without a compiler for guests (clang-16, wasi-libc).

Rounds of well-behaved clients (one request a connection, kept connections, pipelines, bodies with a length and in
chunks) beside clients that reset, half close or leave wherever they are. Each answer is compared byte by byte with the
one to its own request, which says its number and that the instance is fresh. After each round, when nobody is
connected, the server's descriptors, mappings and anonymous memory are what they were (memory, unless --any-memory: a
sanitizer keeps what is freed). Then it is told to reload
again and again, its module another each time, and servers are told to end while they are asked.

No accepted request goes without its answer. One is accepted that was sent whole to a new connection, or to a kept one
less than GRACE_S after the answer before: later the server may have closed it, as any may. What was sent behind a
request whose answer says that the connection closes is not."""
import argparse
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from cli_test import HERE, compiler
from serve_test import Server
from wat import assemble

CLIENTS = 6
GRACE_S = 0.4  # of the server's 0.5
PATIENCE_S = 60
TIMEOUT = "100ms"
WARM_ROUNDS = 2  # pools and buffers grow to their size
# What is kept is what the busiest moment needed, which comes late now and then: instances, their stacks, buffers.
# Four bytes lost by each of a million requests, or a mapping by each ten thousand, are beyond it.
MEMORY_SLACK = 4 << 20
MAPPINGS_SLACK = 64
# One comes and goes with what runs in the background; of each connection there are thousands.
DESCRIPTORS_SLACK = 2

# Answers with the target it was asked for, and how many it has answered.
TARGET = """(module
    (import "http_handler" "get_uri" (func $get_uri (param i32 i32) (result i32)))
    (import "http_handler" "write_body" (func $write_body (param i32 i32 i32)))
    (memory (export "memory") 1) (global $answers (mut i32) (i32.const 0))
    (func (export "handle_request") (result i64) (local $end i32)
        (local.set $end (call $get_uri (i32.const 16) (i32.const 4096)))
        (global.set $answers (i32.add (global.get $answers) (i32.const 1)))
        (i32.store8 (i32.add (i32.const 16) (local.get $end)) (i32.add (i32.const 48) (global.get $answers)))
        (call $write_body (i32.const 1) (i32.const 16) (i32.add (local.get $end) (i32.const 1)))
        (i64.const 0))
    (func (export "handle_response") (param i32 i32)))"""

MANIFEST = """spin_manifest_version = 2
[application]
name = "soak"
version = "1.0.0"
[[trigger.http]]
route = "/cgi/..."
component = "cgi"
executor = { type = "wagi" }
[[trigger.http]]
route = "/target/..."
component = "target"
[[trigger.http]]
route = "/fixed"
static_response = { status_code = 418, body = "short" }
[component.cgi]
source = "cgi.wasm"
[component.target]
source = "target.wasm"
"""


class Lost(Exception):
    """An accepted request had no answer, or another's."""


def request(method, target, fields="", body=b""):
    return f"{method} {target} HTTP/1.1\r\nHost: soak\r\n{fields}\r\n".encode() + body


class Mix:
    """Requests of all kinds, each with the answer that it must have: a status and the bodies that it may have."""

    def __init__(self, seed, versions=("one",)):
        self.random = random.Random(seed)
        self.versions = versions
        self.number = seed << 40

    def plain(self):
        self.number += 1
        kind = self.random.random()
        if kind < 0.5:
            target = f"/cgi/{self.number}?q={self.number}"
            said = [f"GET /{self.number} q={self.number} 1 {version}\n".encode() for version in self.versions]
            return request("GET", target), 200, said
        if kind < 0.9:
            target = f"/target/{self.number}?q={self.number}"
            return request("GET", target), 200, [f"{target}1".encode()]
        if kind < 0.94:
            return request("GET", "/fixed"), 418, [b"short"]
        if kind < 0.98:
            return request("GET", f"/nothing/{self.number}"), 404, None
        return request("GET", "/cgi/trap"), 500, None

    def with_body(self):
        self.number += 1
        body = (b"%d," % self.number) * self.random.choice((1, 100, 5_000, 20_000))
        target = f"/cgi/echo/{self.number}"
        if self.random.random() < 0.5:
            return request("POST", target, f"Content-Length: {len(body)}\r\n", body), 200, [body]
        chunks, at = [], 0
        while at < len(body):
            size = self.random.randint(1, 30_000)
            piece = body[at:at + size]
            chunks.append(b"%x\r\n%s\r\n" % (len(piece), piece))
            at += size
        chunks.append(b"0\r\n\r\n")
        return request("POST", target, "Transfer-Encoding: chunked\r\n", b"".join(chunks)), 200, [body]

    def too_long(self):
        return request("GET", "/cgi/spin"), 504, None


class Client:
    """One connection, which reads answers in their order."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.input = b""
        self.is_kept = True
        self.since = None  # of the last answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def more(self):
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise ConnectionError("the connection ended")
        self.input += piece

    def until(self, mark):
        while (end := self.input.find(mark)) < 0:
            self.more()
        taken, self.input = self.input[:end], self.input[end + len(mark):]
        return taken

    def take(self, count):
        while len(self.input) < count:
            self.more()
        taken, self.input = self.input[:count], self.input[count:]
        return taken

    def answer(self):
        head = self.until(b"\r\n\r\n").lower()
        status = int(head[9:12])
        if b"\r\nconnection: close" in head:
            self.is_kept = False
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        if length:
            body = self.take(int(length[1]))
        else:
            pieces = []
            while (size := int(self.until(b"\r\n"), 16)) != 0:
                pieces.append(self.take(size))
                self.until(b"\r\n")
            self.until(b"\r\n")
            body = b"".join(pieces)
        self.since = time.monotonic()
        return status, body

    def ask(self, requests):
        """All at once; the answers in their order. How many were answered: all, or those before the server closed."""
        sender = None
        everything = b"".join(text for text, _, _ in requests)
        may_be_closed = self.since is not None and time.monotonic() - self.since > GRACE_S
        try:
            if len(everything) > 1 << 16:  # the server stops to read while nobody reads its answers
                sender = threading.Thread(target=self.send, args=(everything,))
                sender.start()
            else:
                self.send(everything)
            for count, (text, status, bodies) in enumerate(requests):
                if not self.is_kept:
                    return count  # told before: what was sent after that is not accepted
                may_be_closed = may_be_closed and count == 0
                answered = self.answer()
                if answered[0] != status or (bodies is not None and answered[1] not in bodies):
                    raise Lost(f"{text[:100]} was answered by {answered[0]} {answered[1][:200]}")
        except ConnectionError as error:
            if may_be_closed:
                self.is_kept = False
                return 0
            raise Lost(f"no answer: {error}") from error
        finally:
            if sender:
                sender.join()
        return len(requests)

    def send(self, everything):
        try:
            self.socket.sendall(everything)
        except ConnectionError:
            pass  # the answers tell


class Traffic:
    """Clients that ask until they have asked enough or are stopped."""

    def __init__(self, port, seed, count=None, versions=("one",)):
        self.port, self.seed, self.count, self.versions = port, seed, count, versions
        self.answered = [0] * CLIENTS
        self.rudely_left = 0
        self.wrong = []
        self.is_over = False
        self.may_be_refused = False
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(CLIENTS)]
        self.rude = threading.Thread(target=self.be_rude)
        for thread in [*self.threads, self.rude]:
            thread.start()

    def run(self, number):
        mix = Mix(self.seed * 100 + number, self.versions)
        try:
            while not self.is_over and (self.count is None or sum(self.answered) < self.count):
                try:
                    client = Client(self.port)
                except ConnectionRefusedError:
                    if self.may_be_refused:
                        return
                    raise
                with client:
                    self.one_connection(client, mix, number)
        except Exception as error:  # pylint: disable=broad-except
            self.wrong.append(error)
            self.is_over = True

    def one_connection(self, client, mix, number):
        for _ in range(mix.random.choice((1, 1, 5, 20))):
            kind = mix.random.random()
            if kind < 0.6:
                requests = [mix.plain() for _ in range(mix.random.choice((1, 10, 50)))]
            elif kind < 0.995:
                requests = [mix.with_body()] + [mix.plain() for _ in range(mix.random.choice((0, 3)))]
            else:
                requests = [mix.plain(), mix.too_long(), mix.plain()]
            self.answered[number] += client.ask(requests)
            if self.is_over or not client.is_kept:
                return

    def be_rude(self):
        mix = Mix(self.seed * 100 + CLIENTS)
        while not self.is_over:
            text = b"".join(text for text, _, _ in [mix.plain(), mix.with_body(), mix.plain()])
            try:
                client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
            except OSError:
                time.sleep(0.01)
                continue
            with client:
                try:
                    client.sendall(text[:mix.random.randint(0, len(text))])
                    how = mix.random.random()
                    if how < 0.4:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    elif how < 0.6:
                        client.shutdown(socket.SHUT_WR)
                    if mix.random.random() < 0.5:
                        client.settimeout(0.003)
                        client.recv(1000)
                except OSError:
                    pass
            self.rudely_left += 1
            time.sleep(0.0005)  # the others are many in one process

    def join(self):
        """Answered requests; what went wrong is raised."""
        for thread in self.threads:
            thread.join()
        self.is_over = True
        self.rude.join()
        if self.wrong:
            raise self.wrong[0]
        return sum(self.answered)


class Held:
    """What a process has of the machine."""

    def __init__(self, pid):
        self.descriptors = len(os.listdir(f"/proc/{pid}/fd"))
        with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
            self.mappings = sum(1 for _ in file)
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            self.memory = int(re.search(r"^Anonymous:\s+(\d+) kB", file.read(), re.MULTILINE)[1]) << 10

    def __str__(self):
        return (f"{self.descriptors} descriptors, {self.mappings} mappings, "
                f"{self.memory / 1024:.0f} KiB of anonymous memory")


def held_when_idle(server, descriptors):
    """Once nobody is connected any more, which descriptors tell where it is known how many there are then."""
    if descriptors:
        server.wait_for(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) <= descriptors)
    time.sleep(0.5)
    return Held(server.process.pid)


class Soak:
    def __init__(self, wrun, folder, options):
        self.wrun, self.folder, self.options = wrun, folder, options
        for version in ("one", "two"):
            subprocess.run([compiler(), "--target=wasm32-wasi", "-O1", f'-DVERSION="{version}"', "-o",
                            self.path(version + ".wasm"), os.path.join(HERE, "handler.c")], check=True)
        with open(self.path("target.wasm"), "wb") as file:
            file.write(assemble(TARGET))
        with open(self.path("spin.toml"), "w", encoding="utf-8") as file:
            file.write(MANIFEST)
        self.use("one")

    def path(self, name):
        return os.path.join(self.folder, name)

    def use(self, version):
        shutil.copyfile(self.path(version + ".wasm"), self.path("cgi.part"))
        os.replace(self.path("cgi.part"), self.path("cgi.wasm"))

    def serve(self, *words):
        return Server(self.wrun, "-f", self.path("spin.toml"), "--admin-addr", "127.0.0.1:0", "--timeout", TIMEOUT,
                      "--threads", "2", "--no-access-log", *words,
                      env={**os.environ, "WRUN_CACHE_DIR": self.path("cache")})

    def rounds(self):
        server = self.serve()
        try:
            server.ask("/cgi/a")
            print(f"before: {Held(server.process.pid)}", flush=True)
            warm = None
            each = self.options.requests // self.options.rounds
            for number in range(self.options.rounds):
                traffic = Traffic(server.port, self.options.seed + number, each)
                answered = traffic.join()
                held = held_when_idle(server, warm.descriptors if warm else None)
                print(f"round {number + 1}: {answered} answered, {traffic.rudely_left} left rudely; {held}", flush=True)
                if number + 1 == WARM_ROUNDS:
                    warm = held
                if warm and held.descriptors > warm.descriptors + DESCRIPTORS_SLACK:
                    raise Lost(f"descriptors: {warm.descriptors} when it was warm")
                if warm and not self.options.any_memory and held.memory > warm.memory + MEMORY_SLACK:
                    raise Lost(f"anonymous memory: {warm.memory >> 10} KiB when it was warm")
                if warm and held.mappings > warm.mappings + MAPPINGS_SLACK:
                    raise Lost(f"mappings: {warm.mappings} when it was warm")
            if (code := server.end()) != 0:
                raise Lost(f"it ended with {code}")
        finally:
            kill(server)

    def reloads(self):
        server = self.serve()
        try:
            # Each answer is of one of both; which one, is between the client and the reload.
            traffic = Traffic(server.port, self.options.seed, versions=("one", "two"))
            for number in range(self.options.reloads):
                self.use(("two", "one")[number % 2])
                server.process.send_signal(signal.SIGHUP)
                # Now and then the next comes before this one is over.
                if number % 4 != 0 and not server.wait_for(lambda: traffic.is_over or self.loaded(server, number % 2)):
                    raise Lost(f"reload {number + 1} did not come about")
                if traffic.is_over:
                    break
            traffic.is_over = True
            answered = traffic.join()
            status = self.status(server)
            print(f"{self.options.reloads} reloads asked for, {status['reloads']} made, "
                  f"{answered} requests answered meanwhile", flush=True)
            if status["failed_reloads"] != 0:
                raise Lost(f"{status['failed_reloads']} reloads failed: {server.log()}")
            if (code := server.end()) != 0:
                raise Lost(f"it ended with {code}")
        finally:
            kill(server)

    @staticmethod
    def loaded(server, index):
        return server.ask("/cgi/a")[1].split()[-1:] == [("two", "one")[index]]

    @staticmethod
    def status(server):
        connection = http.client.HTTPConnection("127.0.0.1", server.admin, timeout=PATIENCE_S)
        try:
            connection.request("GET", "/status?format=json", headers={"Accept": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def drains(self):
        self.use("one")
        answered = 0
        for number in range(self.options.drains):
            server = self.serve()
            try:
                traffic = Traffic(server.port, self.options.seed + number)
                time.sleep(0.1 + 0.05 * (number % 5))
                traffic.may_be_refused = True
                server.process.send_signal(signal.SIGTERM)
                answered += traffic.join()
                if (code := server.process.wait(PATIENCE_S)) != 0:
                    raise Lost(f"it ended with {code}: {server.log()}")
            finally:
                kill(server)
        print(f"{self.options.drains} drains while {answered} requests were answered", flush=True)


def kill(server):
    if server.process.poll() is None:
        server.process.kill()
    server.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wrun")
    parser.add_argument("--requests", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--reloads", type=int, default=30)
    parser.add_argument("--drains", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--any-memory", action="store_true")
    options = parser.parse_args()
    if not compiler():
        print("no compiler for guests")
        return 77
    folder = tempfile.mkdtemp(prefix="wrun-soak-")
    try:
        soak = Soak(os.path.abspath(options.wrun), folder, options)
        soak.rounds()
        soak.reloads()
        soak.drains()
    except Lost as error:
        print(f"lost: {error}")
        return 1
    finally:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
