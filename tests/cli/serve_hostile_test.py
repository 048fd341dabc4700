#!/usr/bin/env python3
"""`wrun serve` among clients that mean it ill, and those that are many.
usage: serve_hostile_test.py WRUN [TEST…]     Says what it skips without a compiler for guests (clang-16, wasi-libc).
WRUN_FLOOD_SECONDS=10 measures the flood of one route for that long each way."""
import collections
import http.client
import json
import os
import re
import resource
import select
import socket
import statistics
import subprocess
import sys
import threading
import time
import unittest

from cli_test import HERE, WRUN, compiler
from serve_test import PATIENCE_S, Serve

# Of these tests alone, not of those that Serve itself has.
for name in [name for name in dir(Serve) if name.startswith("test_")]:
    delattr(Serve, name)

HEAD = b"GET /a HTTP/1.1\r\nHost: h\r\n"


def answer(connection):
    """All that comes until the server closes, however it does."""
    connection.settimeout(PATIENCE_S)
    text = b""
    try:
        while piece := connection.recv(1 << 16):
            text += piece
    except ConnectionResetError:
        pass
    return text


def status(text):
    found = re.match(rb"HTTP/1\.[01] (\d+) ", text)
    return int(found[1]) if found else None


def anonymous_bytes(server):
    with open(f"/proc/{server.process.pid}/smaps_rollup", encoding="utf-8") as file:
        return int(re.search(r"^Anonymous:\s+(\d+) kB", file.read(), re.MULTILINE)[1]) << 10


class Hostile(Serve):
    @staticmethod
    def connect(server):
        return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S)

    def send(self, server, *pieces):
        """What is answered to this, until the server closes."""
        with self.connect(server) as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
            except ConnectionError:
                pass  # it need not read on when it has refused
            return answer(connection)

    def is_well(self, server):
        self.assertEqual(server.ask("/a"), (200, "GET /a  1 one\n"))

    def test_requests_beyond_the_limits_wait_or_are_refused(self):
        server = self.serve("--threads", "1", "--max-in-flight", "4", "--max-queue", "8", "--queue-timeout", "5s",
                            self.handler())
        answers = collections.Counter()
        retry_after = []

        def ask():
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
            connection.request("GET", "/sleep/200")
            response = connection.getresponse()
            response.read()
            answers[response.status] += 1
            if response.status == 503:
                retry_after.append(response.getheader("Retry-After"))
            connection.close()
        for _ in range(2):
            answers.clear()
            threads = [threading.Thread(target=ask) for _ in range(40)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            # Of the four turns one is for other routes. Who came when one of the first had ended is one more.
            self.assertEqual(sum(answers.values()), 40)
            self.assertEqual(set(answers), {200, 503})
            self.assertGreaterEqual(answers[200], 3 + 8)
            for _ in range(10):
                self.is_well(server)
        self.assertTrue(retry_after)
        self.assertTrue(all(seconds and int(seconds) > 0 for seconds in retry_after), retry_after)

    def test_who_waits_too_long_for_a_turn_is_refused(self):
        server = self.serve("--threads", "1", "--max-in-flight", "1", "--queue-timeout", "50ms", self.handler())
        with self.connect(server) as first, self.connect(server) as second:
            first.sendall(b"GET /sleep/200 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            time.sleep(0.05)
            second.sendall(HEAD + b"Connection: close\r\n\r\n")
            self.assertEqual(status(answer(second)), 503)
            self.assertEqual(status(answer(first)), 200)
        self.is_well(server)

    def test_heads_and_bodies_that_drip_end_at_their_time(self):
        server = self.serve("--header-timeout", "1s", "--body-timeout", "500ms", "--threads", "1", self.handler())
        heads = [self.connect(server) for _ in range(200)]
        bodies = [self.connect(server) for _ in range(50)]
        begin = time.monotonic()
        for connection in heads:
            connection.sendall(HEAD + b"X: ")
        for connection in bodies:
            connection.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nsome")
        # Bytes put off the end of a body, not that of a head.
        while time.monotonic() - begin < 0.8:
            for connection in heads + bodies:
                connection.sendall(b"x")
            self.is_well(server)
            time.sleep(0.1)
        self.assertEqual(collections.Counter(status(answer(one)) for one in heads), {408: 200})
        self.assertGreaterEqual(time.monotonic() - begin, 0.99)
        self.assertEqual(collections.Counter(status(answer(one)) for one in bodies), {408: 50})
        for connection in heads + bodies:
            connection.close()
        self.is_well(server)

    def test_who_does_not_read_is_cut_and_others_go_on(self):
        server = self.serve("--threads", "1", "--timeout", "1h", "--write-timeout", "1s", self.handler())
        with self.connect(server) as deaf:
            deaf.sendall(b"GET /endless HTTP/1.1\r\nHost: h\r\n\r\n")

            def is_cut():
                self.is_well(server)
                return "GET /endless" in server.log()
            self.assertTrue(server.wait_for(is_cut))
            text = answer(deaf)  # what the system still has of it, and an end that is none
            self.assertIn(status(text), (200, None))
            self.assertFalse(text.endswith(b"0\r\n\r\n"))
        self.is_well(server)

    def ask_many(self, server, count):
        """So many requests with long lines in the log, all answered."""
        with self.connect(server) as connection:
            for _ in range(count // 50):
                connection.sendall((b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % (b"a" * 2000)) * 50)
                text = b""
                while text.count(b" 1 one\n") < 50:
                    piece = connection.recv(1 << 16)
                    self.assertTrue(piece)
                    text += piece

    def test_a_log_that_nobody_reads_costs_lines_and_no_request_its_time(self):
        count = 5000  # 10 MB of lines: what may wait twice over
        for log_format in ("text", "json"):
            server = self.serve("--log-format", log_format, self.handler(), is_read=False)
            self.ask_many(server, count)
            server.reader.start()
            self.assertTrue(server.wait_for(lambda: "lost here" in server.log()), "no later line is needed")
            self.assertEqual(server.ask("/last")[0], 200)
            self.assertEqual(server.end(), 0)
            lines = server.lines[1:]
            if log_format == "json":
                lines = [json.loads(line) for line in lines]
                lost = [int(line["line"].split()[0]) for line in lines if line["kind"] == "server"]
                self.assertEqual(lines[-1]["target"], "/last")
            else:
                lost = [int(found[1]) for line in lines if (found := re.search(r"Z wrun: (\d+) lines? w", line))]
                self.assertIn("GET /last 200", lines[-1])
            self.assertEqual(len(lines) - len(lost) + sum(lost), count + 1)

    def test_a_log_that_nobody_reads_holds_up_no_end(self):
        server = self.serve(self.handler(), is_read=False)
        self.ask_many(server, 1000)
        self.assertEqual(server.end(), 0)

    def test_bombs_are_refused_and_take_no_memory(self):
        server = self.serve("--max-header", "16K", "--max-body", "1M", "--timeout", "2s", self.handler())
        self.is_well(server)
        before = anonymous_bytes(server)
        chunked = b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        some = 1 << 20
        for name, expected, pieces in (
                ("one field without an end", 431, [HEAD + b"X: " + b"y" * some]),
                ("fields without an end", 431, [HEAD + b"a: b\r\n" * 100_000]),
                ("a target without an end", 414, [b"GET /" + b"y" * some]),
                ("names without values", 431, [HEAD + b"".join(b"x%d:\r\n" % i for i in range(20_000))]),
                ("blank lines", 400, [b"\r\n" * some]),
                ("a length beyond numbers", 400, [b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"9" * 30
                                                  + b"\r\n\r\n"]),
                ("a length beyond the limit", 413, [b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: "
                                                    b"1048577\r\n\r\n"]),
                ("a chunk beyond numbers", 400, [chunked + b"f" * 17 + b"\r\n"]),
                ("chunks beyond the limit", 413, [chunked, b"100000\r\n" + b"y" * some + b"\r\n1\r\ny\r\n"]),
                ("chunks of one byte", 400, [chunked + (b"1;" + b"z" * 60 + b"\r\ny\r\n") * 50_000]),
                ("an extension without an end", 400, [chunked + b"1;" + b"y" * some]),
                ("trailers without an end", 400, [chunked + b"0\r\n" + b"a: b\r\n" * 200_000])):
            with self.subTest(name):
                self.assertEqual(status(self.send(server, *pieces)), expected)
                self.assertEqual(server.process.poll(), None)
        self.is_well(server)
        self.assertLess(anonymous_bytes(server) - before, 8 << 20)

    def test_many_that_hold_what_they_may_hold(self):
        server = self.serve("--max-header", "16K", "--threads", "1", self.handler())
        self.is_well(server)
        before = anonymous_bytes(server)
        connections = [self.connect(server) for _ in range(500)]
        for connection in connections:
            connection.sendall(HEAD + b"X: " + b"y" * 15_000)
        self.is_well(server)
        self.assertLess(anonymous_bytes(server) - before, 500 * (64 << 10))
        for connection in connections:
            connection.close()
        self.is_well(server)

    def test_ten_thousand_idle_connections(self):
        count = 10_000
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < count + 100:
            self.skipTest(f"{hard} descriptors are all that a process may have")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        # Each thread takes its share of them, and the system has its own mind of who comes to which.
        server = self.serve("--max-connections", str(count + count // 5), self.handler())
        self.is_well(server)
        before = anonymous_bytes(server)
        connections = [self.connect(server) for _ in range(count)]
        self.addCleanup(lambda: [connection.close() for connection in connections])
        for connection in connections[::100]:
            connection.sendall(HEAD + b"\r\n")
        for connection in connections[::100]:
            connection.settimeout(PATIENCE_S)
            self.assertEqual(status(connection.recv(1000)), 200)
        self.is_well(server)
        each = (anonymous_bytes(server) - before) / count
        print(f"{count} idle connections: {each:.0f} bytes of anonymous memory each", file=sys.stderr)
        self.assertLess(each, 4096)
        for connection in connections:
            connection.close()
        self.assertTrue(server.wait_for(lambda: len(os.listdir(f"/proc/{server.process.pid}/fd")) < 100))
        self.is_well(server)

    def test_a_thousand_clients_at_once(self):
        server = self.serve(self.handler())
        for count in (64, 1000):
            connections = [self.connect(server) for _ in range(count)]
            for round_number in range(3):
                for number, connection in enumerate(connections):
                    connection.sendall(b"GET /%d-%d HTTP/1.1\r\nHost: h\r\n\r\n" % (round_number, number))
                for number, connection in enumerate(connections):
                    text = b""
                    while not text.endswith(b" 1 one\n"):
                        piece = connection.recv(1000)
                        self.assertTrue(piece)
                        text += piece
                    self.assertIn(b"\r\n\r\nGET /%d-%d  1 one\n" % (round_number, number), text)
            for connection in connections:
                connection.close()

    def test_over_ipv6(self):
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            self.skipTest("no IPv6 here")
        server = self.serve("--addr", "[::1]:0", self.handler())
        self.assertTrue(server.wait_for(lambda: re.search(r"http://\[::1\]:\d+", server.log())))
        port = int(re.search(r"http://\[::1\]:(\d+)", server.log())[1])
        with socket.create_connection(("::1", port), timeout=PATIENCE_S) as connection:
            connection.sendall(HEAD + b"Connection: close\r\n\r\n")
            self.assertTrue(answer(connection).endswith(b"GET /a  1 one\n"))
        self.is_well(server)

    def latencies(self, server, seconds):
        """Of one client's requests one after the other to the other route, a pause between, in milliseconds."""
        times = []
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            connection.request("GET", "/other/sleep/5")
            response = connection.getresponse()
            self.assertEqual(response.status, 200)
            response.read()
            times.append((time.monotonic() - begin) * 1000)
            time.sleep(0.005)
        connection.close()
        return sorted(times)

    def test_a_flood_of_one_route_leaves_the_other_its_turn(self):
        """All turns are taken and the queue is full; who asks the other route is neither refused nor kept waiting for
        more than one of the flood to end."""
        self.handler("a.wasm")
        manifest = os.path.join(self.folder, "spin.toml")
        with open(manifest, "w", encoding="utf-8") as file:
            file.write('spin_manifest_version = 2\n[application]\nname = "two"\n')
            for route in ("flood", "other"):
                file.write(f'[[trigger.http]]\nroute = "/{route}/..."\ncomponent = "{route}"\n'
                           'executor = { type = "wagi" }\n'
                           f'[component.{route}]\nsource = "a.wasm"\n')
        server = self.serve("--threads", "1", "--max-in-flight", "32", "--max-queue", "64", "--no-access-log",
                            "-f", manifest)
        seconds = float(os.environ.get("WRUN_FLOOD_SECONDS", "1"))
        alone = self.latencies(server, seconds)
        # Another process, that has no lock in common with the one that measures.
        flood = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--flood", str(server.port)],
                                 stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(flood.stdout.readline(), "refused\n")  # from here on there is no place for it
            beside = self.latencies(server, seconds)
        finally:
            flood.kill()
            flood.communicate()
        self.assertGreater(len(beside), 3)
        for kind, times in (("alone", alone), ("beside the flood", beside)):
            print(f"{kind}: p50 {statistics.median(times):.1f} ms, p99 {times[int(len(times) * 0.99)]:.1f} ms "
                  f"of {len(times)}", file=sys.stderr)
        self.is_well_at(server, "/other/a")

    def is_well_at(self, server, path):
        self.assertEqual(server.ask(path)[0], 200)


def flood_for_ever(port, connections=128):
    """Asks again at once, whatever is answered. Says when the first request is refused."""
    text = b"GET /flood/sleep/20 HTTP/1.1\r\nHost: h\r\n\r\n"
    poll = select.epoll()
    clients = {}
    for _ in range(connections):
        client = socket.create_connection(("127.0.0.1", port))
        clients[client.fileno()] = client
        client.sendall(text)
        poll.register(client, select.EPOLLIN)
    is_refused = False
    while True:
        for number, _ in poll.poll():
            got = clients[number].recv(1 << 16)
            if not is_refused and status(got) == 503:
                is_refused = True
                print("refused", flush=True)
            if not got or b"onnection: close" in got:
                poll.unregister(number)
                clients.pop(number).close()
                client = socket.create_connection(("127.0.0.1", port))
                clients[client.fileno()] = client
                poll.register(client, select.EPOLLIN)
                number = client.fileno()
            if is_refused and status(got) == 503:
                time.sleep(0.001)  # the machine is the measuring one's as well
            clients[number].sendall(text)


if __name__ == "__main__":
    if sys.argv[1] == "--flood":
        flood_for_ever(int(sys.argv[2]))
    if not compiler():
        print("no compiler for guests")
        sys.exit(77)
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
