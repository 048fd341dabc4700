#!/usr/bin/env python3
"""Serves an example and compares its answers.
usage: exchanges.py hello|greet|count|spin WRUN FILE"""
import http.client
import json
import re
import subprocess
import sys

example, wrun, file = sys.argv[1:]


def ask(port, method, path, body=None, **fields):
    """Status, type and body of one answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, fields)
        response = connection.getresponse()
        return response.status, response.getheader("content-type"), response.read().decode()
    finally:
        connection.close()


def expect(what, got, wanted):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


def check_hello(port):
    page = "<!doctype html><title>hello</title><p>Hello from a fresh sandbox.</p>\n"
    expect("page", ask(port, "GET", "/"), (200, "text/html", page))
    status, kind, answer = ask(port, "POST", "/order?dry=1", '{"item": "tea"}')
    expect("order", (status, kind), (200, "application/json"))
    expect("order", json.loads(answer), {"method": "POST", "path": "/order", "query": "dry=1",
                                         "body": '{"item": "tea"}', "body_bytes": 15})
    expect("refusal", ask(port, "DELETE", "/order")[0], 405)


def check_greet(port):
    expect("without a name", ask(port, "GET", "/"), (200, "text/plain", "Hello, whoever you are.\n"))
    expect("refusal", ask(port, "POST", "/"), (405, "text/plain", "only GET\n"))


def check_count(port):
    expect("count", ask(port, "POST", "/", "one two\nthree\n"),
           (200, "application/json", '{"bytes":14,"lines":2,"words":3}\n'))
    expect("refusal", ask(port, "GET", "/"), (405, "text/plain; charset=utf-8", "POST a text\n"))


def check_spin(port):
    plain = "text/plain; charset=utf-8"
    expect("page", ask(port, "GET", "/pages/about"), (200, plain, "Every request has a sandbox of its own.\n"))
    for path in ["/pages", "/pages/"]:
        expect(path, ask(port, "GET", path)[0], 200)
    expect("other file", ask(port, "GET", "/pages/etc/hostname"), (404, "text/plain", "no such page\n"))
    expect("name", ask(port, "GET", "/greet/Ada"), (200, "text/plain", "Hello, Ada.\n"))
    forged = {"Spin-Path-Match-Name": "Eve", "spin_path_match_name": "Eve"}
    expect("forged name", ask(port, "GET", "/greet/Ada", **forged)[2], "Hello, Ada.\n")
    expect("long name", ask(port, "GET", "/greet/" + "a" * 300)[2], "Hello, whoever you are.\n")
    expect("fixed", ask(port, "GET", "/robots.txt"), (200, "text/plain", "User-agent: *\n"))
    expect("no route", ask(port, "GET", "/greet")[0], 404)


what = ["-f", file] if example == "spin" else [file]
with subprocess.Popen([wrun, "serve", "--addr", "127.0.0.1:0", "--no-access-log", *what],
                      stderr=subprocess.PIPE, text=True) as server:
    try:
        said = server.stderr.readline()
        found = re.search(r"serving .* at http://127.0.0.1:(\d+)", said)
        assert found, f"it does not serve: {said}{server.stderr.read()}"
        globals()["check_" + example](int(found[1]))
        server.terminate()
        expect("exit code", server.wait(60), 0)
    finally:
        server.kill()
print(f"{example} answered as expected")
