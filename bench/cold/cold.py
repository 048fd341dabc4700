#!/usr/bin/env python3
"""Measures what it takes to start, run and reset an instance; `bench/run cold` calls it.
usage: cold.py [--quick] [--fresh] [--rounds N] [--render]
Every measurement is a process of cold_bench. Rounds are interleaved: in each, every item is given to all subjects in
turn. Results are kept in build/bench/cold/samples.jsonl, so that a run that was broken off goes on, as long as the
program is the same. At the end come docs/performance/cold.json and the tables of docs/cold-start.md."""
import argparse
import hashlib
import json
import os
import sys
import time

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
    """One round, as (what, item, subject, words of cold_bench)."""
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


def measure_all(options, known, large, journal, rounds):
    begin = time.time()
    for number in range(rounds):
        for what, item, subject, count in plan(options, known, large, number):
            key = [what, item, subject, number]
            if tuple(key) in journal.seen or "failed" in journal.seen.get((what, item, subject, 0), {}):
                continue
            try:
                words = [PROGRAM, what, subject, large.get(item, item), count]
                outcome = {"figures": engines.as_json(engines.execute(words))}
            except engines.Failed as failed:
                outcome = {"failed": str(failed)}
            journal.add(key, outcome)
            said = f"failed: {outcome['failed']}" if "failed" in outcome else ""
            print(f"{time.time() - begin:7.1f} s  round {number + 1}/{rounds}  {what:8} {item:12} {subject} {said}",
                  flush=True)


def main():
    parser = argparse.ArgumentParser(prog="bench/run cold", description="Measures starts and resets beside peers.")
    parser.add_argument("--quick", action="store_true",
                        help="one round of a few items, to see that all works; writes to build/bench/cold-quick only")
    parser.add_argument("--fresh", action="store_true", help="begin anew instead of going on")
    parser.add_argument("--rounds", type=int, help="3 unless told")
    parser.add_argument("--render", action="store_true",
                        help="measure nothing: write the tables anew from docs/performance/cold.json")
    options = parser.parse_args()
    if options.render:
        tables.write(tables.read(engines.ROOT), engines.ROOT)
        return
    rounds = options.rounds or (1 if options.quick else 3)
    folder = os.path.join(engines.ROOT, "build/bench", "cold-quick" if options.quick else "cold")
    os.makedirs(folder, exist_ok=True)
    known = engines.as_json(engines.execute([PROGRAM, "list"]))
    large, absent = large_modules()
    with open(PROGRAM, "rb") as program:
        identity = [hashlib.sha256(program.read()).hexdigest(), list(large), known["subjects"]]
    journal = measure.Journal(os.path.join(folder, "samples.jsonl"), identity, options.fresh)
    if journal.facts is None:
        journal.begin({**measure.facts([], ["cold", *sys.argv[1:]]), "absent_modules": absent})
    measure_all(options, known, large, journal, rounds)
    results = tables.summarize(journal, known, rounds)
    if options.quick:
        print("bench: of a quick run these say only that all works:", file=sys.stderr)
    else:
        tables.write(results, engines.ROOT)
    print("\n".join(tables.marks(results)))


if __name__ == "__main__":
    main()
