#!/usr/bin/env python3
"""Measures what it takes to start, run and reset an instance; `bench/run cold` calls it.
usage: cold.py [--quick] [--fresh] [--rounds N] [--render]
Every measurement is a process of cold_bench. Rounds are interleaved: in each, every item is given to all subjects in
turn. Results are kept in build/bench/cold/samples.jsonl, so that a run that was broken off goes on, as long as the
program is the same. At the end come docs/performance/cold.json and the tables of docs/cold-start.md."""
import hashlib
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import corpus  # noqa: E402
import engines  # noqa: E402
import measure  # noqa: E402
import tables  # noqa: E402

PROGRAM = os.environ.get("WRUN_COLD_BENCH", os.path.join(engines.ROOT, "build/release/bin/cold_bench"))
CYCLES = 20_000
STARTS = 2_000
LIVE = 10_000
THREADS_HANDLERS = ("empty", "pages-4", "pages-16")
LIVE_HANDLER = "medium"
LARGE = {  # what is only started, by its place
    "gojq": "guest", "esbuild": "npm", "sql.js": "npm", "SQLite": "guest", "QuickJS": "guest",
}
GUEST_FILES = {"gojq": "gojq", "SQLite": "speedtest1", "QuickJS": "qjs"}


def large_modules():
    """Name → path, and the names of what is not there."""
    found, absent, folder = {}, [], corpus.guests_folder()
    for name, place in LARGE.items():
        if place == "npm":
            path = os.path.join(engines.PEERS, "npm", corpus.NPM_MODULES[name])
        else:
            path = os.path.join(folder, "bin", GUEST_FILES[name] + ".wasm") if folder else ""
        if os.path.exists(path):
            found[name] = path
        else:
            absent.append(name)
    return found, absent


def plan(options, known, large, number):
    """One round, as (what, item, subject, count)."""
    cycles = 2000 if options.quick else CYCLES
    subjects = [subject for subject in known["subjects"] if not subject["missing"]]
    turn = number % len(subjects)
    subjects = subjects[turn:] + subjects[:turn]
    kinds = {name: [subject for subject in subjects if subject["name"] in names]
             for name, names in (("threads", tables.THREADS), ("large", tables.LARGE), ("live", tables.LIVE))}
    for handler in known["handlers"]:
        if options.quick and handler["name"] not in ("empty", "pages-4", "grow"):
            continue
        for subject in subjects:
            if subject["name"] == "wrun-store" and handler["name"] not in tables.STORE_HANDLERS:
                continue
            if handler["only_writes"] or not subject["is_native"]:
                yield "cycles", handler["name"], subject["name"], str(cycles)
    for handler in THREADS_HANDLERS[:1 if options.quick else None]:
        for subject in kinds["threads"]:
            yield "threads", handler, subject["name"], str(cycles)
    for name in list(large)[-1 if options.quick else None:]:
        for subject in kinds["large"]:
            yield "large", name, subject["name"], str(STARTS // (4 if options.quick else 1))
    for subject in kinds["live"]:
        yield "live", LIVE_HANDLER, subject["name"], str(1000 if options.quick else LIVE)


def measurements(steps, large):
    """The round as measure.measure() wants it: each is a process of cold_bench."""
    for what, item, subject, count in steps:
        words = [PROGRAM, what, subject, large.get(item, item), count]
        yield ((what, item, subject), f"{what:8} {item:12} {subject}",
               lambda w=words: {"figures": engines.as_json(engines.execute(w))})


def main():
    options = measure.read_options("bench/run cold", "Measures starts and resets beside peers.",
                                   "build/bench/cold-quick", "docs/performance/cold.json")
    if options.render:
        tables.write(tables.read(engines.ROOT), engines.ROOT)
        return
    folder = os.path.join(engines.ROOT, "build/bench", "cold-quick" if options.quick else "cold")
    os.makedirs(folder, exist_ok=True)
    known = engines.as_json(engines.execute([PROGRAM, "list"]))
    large, absent = large_modules()
    with open(PROGRAM, "rb") as program:
        identity = [hashlib.sha256(program.read()).hexdigest(), list(large), known["subjects"]]
    journal = measure.Journal(os.path.join(folder, "samples.jsonl"), identity, options.fresh)
    if journal.facts is None:
        journal.begin({**measure.facts([], ["cold", *sys.argv[1:]]), "absent_modules": absent})
    measure.measure(lambda number: measurements(plan(options, known, large, number), large), journal, options.rounds)
    results = tables.summarize(journal, known, options.rounds)
    if options.quick:
        print("bench: of a quick run these say only that all works:", file=sys.stderr)
    else:
        tables.write(results, engines.ROOT)
    print("\n".join(tables.marks(results)))


if __name__ == "__main__":
    main()
