#!/usr/bin/env python3
"""Measures the way from a file to the first instruction; `bench/run start` calls it.
usage: start.py [--quick] [--fresh] [--rounds N] [--render]
In one process that has an engine (start_bench), and as whole processes (spawn_bench). Rounds are interleaved: in each,
every item is given to all subjects in turn. Results are kept in build/bench/start/samples.jsonl, so that a run that was
broken off goes on. At the end come docs/performance/start.json and the tables of docs/start.md."""
import hashlib
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import corpus  # noqa: E402
import engines  # noqa: E402
import measure  # noqa: E402
import start_tables as tables  # noqa: E402

BIN = os.environ.get("WRUN_START_BENCH", os.path.join(engines.ROOT, "build/release/bin"))
STARTS = 2000
# (module (import "wasi_snapshot_preview1" "fd_write" …) (memory 1) (data "hello\n" …) (func (export "_start") …))
HELLO = bytes.fromhex(
    "0061736d01000000010c0260047f7f7f7f017f60000002230116776173695f736e617073686f745f70726576696577310866"
    "645f77726974650000030201010503010001071302066d656d6f72790200065f737461727400010a1d011b00410041103602"
    "0041044106360200410141004101410810001a0b0b0c010041100b0668656c6c6f0a")
EMPTY = "int main(void) { return 0; }\n"
# Arguments with which a program does as little as it can, and how it ends then.
WORDS = {"hello": ([], 0), "SQLite": (["--help"], 0), "QuickJS": (["-e", "1"], 0), "gojq": (["--version"], 0),
         "yosys": (["-V"], 0)}
GUEST_FILES = {"SQLite": "speedtest1", "QuickJS": "qjs", "gojq": "gojq"}
RAW_ARGUMENTS = {"hello": ([], 0), "QuickJS": (["-e", "print(1)"], 0), "gojq": (["--version"], 0),
                 "yosys": (["-V"], 0)}


def modules(folder):
    """Name → path, and the names of what is not there."""
    hello = os.path.join(folder, "hello.wasm")
    with open(hello, "wb") as file:
        file.write(HELLO)
    found, absent, guests = {"hello": hello}, [], corpus.guests_folder()
    for name, file in GUEST_FILES.items():
        found[name] = os.path.join(guests, "bin", file + ".wasm") if guests else ""
    found["esbuild"] = os.path.join(engines.PEERS, "npm", corpus.NPM_MODULES["esbuild"])
    found["yosys"] = os.path.join(engines.PEERS, "pypi/yosys.wasm")
    for name in list(found):
        if not os.path.exists(found[name]):
            absent.append(name)
            del found[name]
    return found, absent


class Subject:
    """Who runs whole programs. `cached` words run what was compiled before, `raw` ones keep and find nothing."""
    cached_count, raw_count = 300, 5
    raw = None

    def __init__(self, name, label, does, program, only=None):
        self.name, self.label, self.does, self.program, self.only = name, label, does, program, only
        self.missing = "" if program and os.access(program, os.X_OK) else "its program is not there"

    def takes(self, item):
        return not self.missing and (self.only is None or item in self.only)

    def prepare(self, item, path):
        """Once, before anything is measured."""

    def cached(self, item, path):
        raise NotImplementedError


class Plain(Subject):
    """What is measured besides, as a floor."""

    def cached(self, item, path):
        return [self.program]


class Wasm3(Subject):
    def cached(self, item, path):
        return [self.program, path]


class Wrun(Subject):
    def __init__(self, name, label, does, program, folder):
        super().__init__(name, label, does, program)
        self.folder = folder

    def prepare(self, item, path):
        # The cache takes no file for known that was touched in the last two seconds.
        arguments, exit_code = WORDS[item]
        for _ in range(2):
            subprocess.run([self.program, "run", path, *arguments], check=exit_code == 0, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL)

    def cached(self, item, path):
        return [self.program, "run", path]

    def raw(self, item, path):
        return [self.program, "run", "--no-cache", path]


class Precompiled(Wrun):
    def artifact(self, item):
        return os.path.join(self.folder, f"{item}.{self.name}.wrun")

    def prepare(self, item, path):
        subprocess.run([self.program, "compile", path, "-o", self.artifact(item)], check=True)
        time.sleep(2.1)
        arguments, exit_code = WORDS[item]
        subprocess.run([*self.cached(item, path), *arguments], check=exit_code == 0, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)

    def cached(self, item, path):
        return [self.program, "run", "--allow-precompiled", self.artifact(item)]

    raw = None


class Wasmtime(Subject):
    cached_count = 60

    def __init__(self, name, label, flags, folder):
        self.flags, self.folder = flags, folder
        super().__init__(name, label, f"`wasmtime run {' '.join([*flags, '--allow-precompiled'])}`; raw: with "
                         f"`-C {','.join(['cache=n', *flags[1:]])}`", engines.peer("wasmtime"))
        self.raw_count = 1 if name == "wasmtime" else 3

    def artifact(self, item):
        return os.path.join(self.folder, f"{item}.{self.name}.cwasm")

    def prepare(self, item, path):
        if not os.path.exists(self.artifact(item)):
            subprocess.run([self.program, "compile", *self.flags, path, "-o", self.artifact(item)], check=True)

    def cached(self, item, path):
        return [self.program, "run", *self.flags, "--allow-precompiled", self.artifact(item)]

    def raw(self, item, path):
        return [self.program, "run", "-C", ",".join(["cache=n", *self.flags[1:]]), path]


class Wazero(Subject):
    cached_count, raw_count = 60, 2

    def __init__(self, folder):
        self.folder = os.path.join(folder, "wazero")
        super().__init__("wazero", "wazero", "`wazero run -cachedir`; raw: without", engines.peer("wazero"))

    def prepare(self, item, path):
        arguments, exit_code = WORDS[item]
        subprocess.run([*self.cached(item, path), *arguments], check=exit_code == 0, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL)

    def cached(self, item, path):
        return [self.program, "run", "-cachedir", self.folder, path]

    def raw(self, item, path):
        return [self.program, "run", path]


def built(folder, name, *flags):
    """A program that does nothing."""
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        subprocess.run(["cc", "-O2", *flags, "-x", "c", "-", "-o", path], input=EMPTY.encode(), check=True)
    return path


def all_subjects(folder):
    static, dynamic = os.path.join(BIN, "wrun-static"), os.path.join(BIN, "wrun")
    return [
        Wrun("wrun-static", "wrun-static", "`wrun-static run`, from its cache; raw: `--no-cache`", static, folder),
        Precompiled("wrun-precompiled", "wrun-static, artifact",
                    "`wrun-static run --allow-precompiled` of an artifact that was found whole before", static, folder),
        Wrun("wrun", "wrun", "`wrun run`, from its cache; raw: `--no-cache`", dynamic, folder),
        Wasmtime("wasmtime", "wasmtime", [], folder),
        Wasmtime("winch", "wasmtime, Winch", ["-C", "compiler=winch"], folder),
        Wazero(folder),
        Wasm3("wasm3", "wasm3", "wasm3 as a static program with nothing but `fd_write`", os.path.join(
            engines.PEERS, "pypi/wasm3_hello"), ["hello"]),
        Plain("empty", "empty, static", "a C program that does nothing, linked statically: the floor",
              built(folder, "empty", "-static"), ["hello"]),
        Plain("empty-dynamic", "empty, dynamic", "the same with the C library loaded",
              built(folder, "empty-dynamic"), ["hello"]),
    ]


def measurements(options, found, subjects, number, prepared):
    quick = options.quick
    for name, path in found.items():
        if quick and name not in ("hello", "QuickJS"):
            continue
        words = [os.path.join(BIN, "start_bench"), "--count", str(STARTS // (10 if quick else 1)), path]
        yield ("first", name, "wrun-static"), f"first    {name}", lambda w=words: {
            "figures": engines.as_json(engines.execute(w))}
    turn = number % len(subjects)
    subjects = subjects[turn:] + subjects[:turn]
    for name, path in found.items():
        if name not in WORDS or (quick and name not in ("hello", "QuickJS")):
            continue
        for subject in subjects:
            if not subject.takes(name):
                continue
            if (subject.name, name) not in prepared:
                subject.prepare(name, path)
                prepared.add((subject.name, name))
            arguments, exit_code = WORDS[name]
            yield from one("cached", name, subject, [*subject.cached(name, path), *arguments], exit_code,
                           subject.cached_count // (10 if quick else 1))
    for name, (arguments, exit_code) in RAW_ARGUMENTS.items():
        if name not in found or (quick and name != "hello"):
            continue
        for subject in subjects:
            if subject.raw and subject.takes(name):
                yield from one("raw", name, subject, [*subject.raw(name, found[name]), *arguments], exit_code,
                               20 if name == "hello" else subject.raw_count)


def one(what, name, subject, words, exit_code, count):
    words = [os.path.join(BIN, "spawn_bench"), str(count), str(exit_code), *words]
    yield (what, name, subject.name), f"{what:8} {name:12} {subject.label}", lambda: {
        "figures": engines.as_json(engines.execute(words))}


def main():
    options = measure.read_options("bench/run start", "Measures the way from a file to the first instruction.",
                                   "build/bench/start-quick", "docs/performance/start.json")
    if options.render:
        tables.write(tables.read(engines.ROOT), engines.ROOT)
        return
    folder = os.path.join(engines.ROOT, "build/bench", "start-quick" if options.quick else "start")
    os.makedirs(folder, exist_ok=True)
    os.environ["WRUN_CACHE_DIR"] = os.path.join(folder, "cache")
    found, absent = modules(folder)
    subjects = all_subjects(folder)
    with open(os.path.join(BIN, "wrun-static"), "rb") as program:
        identity = [hashlib.sha256(program.read()).hexdigest(), list(found),
                    [subject.name for subject in subjects if not subject.missing]]
    journal = measure.Journal(os.path.join(folder, "samples.jsonl"), identity, options.fresh)
    if journal.facts is None:
        journal.begin({**measure.facts([], ["start", *sys.argv[1:]]), "absent_modules": absent})
    prepared = set()
    measure.measure(lambda number: measurements(options, found, subjects, number, prepared), journal, options.rounds)
    known = {"subjects": [{"name": subject.name, "label": subject.label, "does": subject.does,
                           "missing": subject.missing} for subject in subjects],
             "modules": {name: os.path.getsize(path) for name, path in found.items()}}
    results = tables.summarize(journal, known, options.rounds)
    if options.quick:
        print("bench: of a quick run these say only that all works:", file=sys.stderr)
    else:
        tables.write(results, engines.ROOT)
    print("\n".join(tables.marks(results)))


if __name__ == "__main__":
    main()
