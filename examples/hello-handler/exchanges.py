#!/usr/bin/env python3
"""Calls the handler as a web server would and compares its answers.
usage: exchanges.py WRUN HANDLER.wasm"""
import json
import subprocess
import sys

wrun, handler = sys.argv[1:]


def call(method, path, query="", body=b""):
    """The headers as a dictionary and the body of one answer."""
    variables = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query}
    options = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    done = subprocess.run([wrun, *options, handler], input=body, capture_output=True, timeout=60)
    assert done.returncode == 0, f"{method} {path}: exit code {done.returncode}: {done.stderr.decode()}"
    head, _, rest = done.stdout.partition(b"\r\n\r\n")
    return dict(line.split(": ", 1) for line in head.decode().split("\r\n")), rest


def expect(what, got, wanted):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


headers, page = call("GET", "/")
expect("page status", headers["Status"], "200 OK")
expect("page type", headers["Content-Type"], "text/html")
expect("page", page, b"<!doctype html><title>hello</title><p>Hello from a fresh sandbox.</p>\n")

order = b'{"item": "tea",\n "count": 2}'
headers, answer = call("POST", "/order", "dry=1", order)
expect("order type", headers["Content-Type"], "application/json")
expect("order", json.loads(answer), {"method": "POST", "path": "/order", "query": "dry=1",
                                     "body": order.decode(), "body_bytes": len(order)})

large = b"x" * (64 * 1024)
expect("large body", json.loads(call("POST", "/", body=large)[1])["body_bytes"], len(large))

headers, _ = call("DELETE", "/order")
expect("refusal", headers["Status"], "405 Method Not Allowed")
print("4 exchanges as expected")
