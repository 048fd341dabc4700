#!/usr/bin/env python3
"""Serves the example handler at a free port, shows two requests, their answers and its log, and ends the server.
usage: demo.py WRUN HANDLER.wasm"""
import http.client
import re
import subprocess
import sys

wrun, handler = sys.argv[1:]
command = [wrun, "serve", "--addr", "127.0.0.1:0", handler]
print("$", *command, "&", flush=True)
with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
    try:
        said = server.stderr.readline()
        print(said, end="")
        address = re.search(r"http://(127.0.0.1:\d+)", said)
        if not address:
            sys.exit(server.stderr.read())
        for method, path, body in [("GET", "/", None), ("POST", "/order", '{"item": "tea"}')]:
            print(f"> {method} http://{address[1]}{path} {body or ''}")
            connection = http.client.HTTPConnection(address[1], timeout=60)
            connection.request(method, path, body)
            answer = connection.getresponse()
            print("HTTP/1.1", answer.status, answer.reason)
            for name, value in answer.getheaders():
                print(f"{name}: {value}")
            print(f"\n{answer.read().decode()}")
            print(server.stderr.readline(), end="")
            connection.close()
    finally:
        server.terminate()
sys.exit(server.returncode)
