#!/usr/bin/env python3
"""Compares what the code generator makes of each *.wat here with the listing beside it, *.x64.txt.
usage: golden.py WRUN [NAME…]            prints a diff for each that differs; exit code 1 if there is any
       golden.py WRUN --bless [NAME…]    writes the listings anew; their diff belongs to the review
A line `;; objdump: WORDS` in the text gives `wrun objdump` more words than the common ones, which fix the CPU, so that
a listing is the same on every machine. The library that assembles is the one that tools/setup fetched, or the one that
WRUN_WASMTIME_LIB names. WRUN_BLESS=1 blesses too."""
import difflib
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ.setdefault("WRUN_WASMTIME_LIB", os.path.join(HERE, "..", "..", "build", "deps", "libwasmtime.so"))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
from wat import assemble  # noqa: E402

FOLDER = os.environ.get("WRUN_GOLDEN_DIR", HERE)  # another one for the test of this program
COMMON = ["--plain", "--cpu", "v3"]
ENDING = ".x64.txt"


def listing(wrun, path):
    """What objdump prints, or a ValueError that says why it prints nothing."""
    with open(path) as file:
        text = file.read()
    words = list(COMMON)
    for more in re.findall(r"^;; objdump: (.*)$", text, re.M):
        words += more.split()
    # The last one of an option counts.
    for option in {word for word in words if word.startswith("--")}:
        while words.count(option) > 1:
            del words[words.index(option):words.index(option) + 2]
    with tempfile.NamedTemporaryFile(suffix=".wasm") as wasm:
        wasm.write(assemble(text))
        wasm.flush()
        done = subprocess.run([wrun, "objdump", *words, wasm.name], capture_output=True, text=True, timeout=60)
    if done.returncode or done.stderr:
        raise ValueError(f"objdump {' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def read(path):
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return file.read()


def check(wrun, name, bless):
    """The message of a failure, or nothing."""
    source, beside = os.path.join(FOLDER, name + ".wat"), os.path.join(FOLDER, name + ENDING)
    if not os.path.exists(source):
        if bless:
            os.remove(beside)
            return None
        return f"{name}{ENDING} has no {name}.wat; --bless removes it"
    try:
        actual = listing(wrun, source)
    except ValueError as error:
        return f"{name}.wat: {error}"
    expected = read(beside)
    if bless:
        if actual != expected:
            with open(beside, "w") as file:
                file.write(actual)
            print("blessed", name)
        return None
    if expected is None:
        return f"{name}.wat has no {name}{ENDING}; --bless writes it"
    if actual == expected:
        return None
    return "".join(difflib.unified_diff(expected.splitlines(True), actual.splitlines(True), f"{name}{ENDING}",
                                        "what is generated now", n=6))


def main(words):
    bless = bool(os.environ.get("WRUN_BLESS"))
    if "--bless" in words:
        bless = True
        words.remove("--bless")
    wrun, wanted = os.path.abspath(words[0]), words[1:]
    there = {file[:-len(ending)] for file in os.listdir(FOLDER) for ending in (".wat", ENDING) if file.endswith(ending)}
    names = sorted(wanted or there)
    unknown = [name for name in names if name not in there]
    if unknown or not names:
        sys.exit(f"no such listing: {' '.join(unknown)}")
    failures = [message for name in names if (message := check(wrun, name, bless))]
    for message in failures:
        print(message, end="" if message.endswith("\n") else "\n")
    print(f"{len(names)} listings, {len(failures)} differ" + ("; blessed" if bless else ""))
    if failures and not bless:
        print("If that is what you wanted: tests/golden/golden.py WRUN --bless, and look at git diff.")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
