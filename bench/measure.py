#!/usr/bin/env python3
"""Measures wrun beside its peers; bench/run calls it. usage: measure.py [--quick] [--fresh] [--rounds N] [--render]
Rounds are interleaved: in each, every item is given to all engines in turn, every measurement in a process of its
own. Each result is kept at once in build/bench/samples.jsonl, so that a run that was broken off goes on where it
was, as long as the measured binary is the same; --fresh begins anew. At the end come the JSON, tables and plots."""
import argparse
import datetime
import hashlib
import json
import os
import platform
import subprocess
import sys
import time

import corpus
import engines
import report


def command_output(*words):
    done = subprocess.run(words, cwd=engines.ROOT, capture_output=True, text=True)
    return done.stdout.strip()


def processor():
    """Its name, and family and model, as a virtual machine's name may not tell one generation from another."""
    with open("/proc/cpuinfo") as file:
        known = dict([part.strip() for part in line.split(":", 1)] for line in file.read().split("\n\n")[0].split("\n"))
    name = known.get("model name", platform.machine())
    return f"{name} (family {known['cpu family']}, model {known['model']})" if "cpu family" in known else name


def memory_gib():
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30)


def facts(all_engines, words):
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "command": " ".join(["bench/run", *words]),
        "commit": command_output("git", "describe", "--always", "--dirty", "--abbrev=10"),
        "machine": f"{processor()}, {len(os.sched_getaffinity(0))} CPUs, {memory_gib()} GiB",
        "system": f"Linux {platform.release()}",
        "load_at_begin": round(os.getloadavg()[0], 2),
        "engines": [{"name": engine.name, "label": engine.label, "how": engine.how, "missing": engine.missing,
                     "version": None if engine.missing else engine.version()} for engine in all_engines],
    }


class Journal:
    """The file of samples; its first line says what was measured, so that nothing is mixed."""

    def __init__(self, path, identity, fresh):
        self.path, self.seen = path, {}
        if not fresh and os.path.exists(path):
            with open(path) as file:
                lines = [json.loads(line) for line in file if line.endswith("\n")]
            if lines and lines[0]["identity"] == identity:
                self.seen = {tuple(line["key"]): line for line in lines[1:]}
        else:
            lines = []
        self.facts = lines[0]["facts"] if self.seen else None
        self.identity = identity
        if self.facts:
            self.begin(self.facts)

    def begin(self, facts_):
        """Writes anew what is known: the last line may have been cut off."""
        self.facts = facts_
        with open(self.path + ".part", "w") as file:
            for line in [{"identity": self.identity, "facts": facts_}, *self.seen.values()]:
                file.write(json.dumps(line) + "\n")
        os.replace(self.path + ".part", self.path)

    def add(self, key, outcome):
        line = {"key": key, **outcome}
        self.seen[tuple(key)] = line
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")


class Plan:
    """All measurements, in the order in which they are made."""

    def __init__(self, options, all_engines, modules, kernels, guests):
        self.engines = [engine for engine in all_engines if not engine.missing]
        self.modules, self.kernels, self.guests = modules, kernels, guests
        self.kernel_repeats = 1 if options.quick else 3
        self.largest = [module for module in modules if module.code_bytes > 1_000_000][:1 if options.quick else None]

    def turn(self, number):
        """The engines, each time another one first."""
        number %= len(self.engines)
        return self.engines[number:] + self.engines[:number]

    def round(self, number):
        for kind, engine, item, step in self.steps(number):
            yield ((kind, engine.name, item.name), f"{kind:8} {item.name:18} {engine.label}",
                   lambda s=step: {"samples": s()})

    def steps(self, number):
        """As (kind, engine, item, what does it)."""
        for item in self.modules:
            for engine in self.turn(number):
                if engine.compiles_slowly and item.code_bytes > corpus.SLOW_BYTES_MAX:
                    continue
                yield "compile", engine, item, lambda e=engine, i=item: e.compile(i, i.repeats())
        for item in self.largest:
            for engine in self.turn(number):
                if engine.tells_threads:
                    yield "threads", engine, item, lambda e=engine, i=item: e.threads(i, i.repeats())
        for item in self.kernels:
            for engine in self.turn(number):
                yield "kernel", engine, item, lambda e=engine, i=item: e.kernel(i, self.kernel_repeats)
        for item in self.guests:
            for engine in self.turn(number):
                if engine.runs_guests:
                    yield "guest", engine, item, lambda e=engine, i=item: e.guest(i)


def measure(plan, journal, rounds):
    """Makes what is not known yet. plan(number) gives a round: its measurements as (the parts of a key, their names
    for people, what makes one and answers with its outcome)."""
    begin = time.time()
    for number in range(rounds):
        for parts, names, step in plan(number):
            key = [*parts, number]
            # What failed once fails again.
            if tuple(key) in journal.seen or "failed" in journal.seen.get((*parts, 0), {}):
                continue
            try:
                outcome = step()
            except engines.Failed as failed:
                outcome = {"failed": str(failed)}
            journal.add(key, outcome)
            said = f" failed: {outcome['failed']}" if "failed" in outcome else ""
            print(f"{time.time() - begin:7.1f} s  round {number + 1}/{rounds}  {names}{said}", flush=True)


def read_options(name, does, folder, results):
    """What both ways of measuring can be told; `folder` is where a quick run writes."""
    parser = argparse.ArgumentParser(prog=name, description=does)
    parser.add_argument("--quick", action="store_true",
                        help=f"one round of a few items, to see that all works; writes to {folder} only")
    parser.add_argument("--fresh", action="store_true", help="begin anew instead of going on")
    parser.add_argument("--rounds", type=int, help="3 unless told")
    parser.add_argument("--render", action="store_true",
                        help=f"measure nothing: write what is drawn from {results} anew")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def fingerprint():
    """Of the measured binary and of everything that decides how it is measured."""
    known = hashlib.sha256()
    paths = [os.path.join(engines.HERE, folder, name) for folder in (".", "peers", "kernels")
             for name in sorted(os.listdir(os.path.join(engines.HERE, folder)))]
    for path in [engines.Wrun.program, *paths]:
        if os.path.isfile(path) and not path.endswith(("report.py", "plots.py")):
            with open(path, "rb") as file:
                known.update(file.read())
    return known.hexdigest()


def quick(items, names):
    return [item for item in items if item.name in names]


def main():
    options = read_options("bench/run", "Measures wrun beside its peers.", "build/bench/quick",
                           "docs/performance/results.json")
    if options.render:
        with open(os.path.join(engines.ROOT, "docs/performance/results.json")) as file:
            report.write(json.load(file), engines.ROOT, None)
        return
    folder = os.path.join(engines.ROOT, "build/bench", "quick" if options.quick else "whole")
    cache = os.path.join(folder, "cache")
    all_engines = engines.all_engines(cache)
    for engine in all_engines:
        if engine.missing:
            print(f"bench: {engine.label} is skipped: {engine.missing}", file=sys.stderr)
    modules, absent = corpus.modules()
    kernels, guests = corpus.kernels(cache), corpus.guests(cache)
    if options.quick:
        modules = quick(modules, ("http-c-cgi", "lua", "tree-sitter", "nextpnr-ice40"))
        kernels = quick(kernels, ("sieve", "dispatch", "matmul_f64"))
        guests = quick(guests, ("http-c-cgi", "icepll", "cwebp"))
    identity = [fingerprint(), [engine.name for engine in all_engines if not engine.missing],
                [item.name for item in [*modules, *kernels, *guests]]]
    journal = Journal(os.path.join(folder, "samples.jsonl"), identity, options.fresh)
    if journal.facts is None:
        journal.begin({**facts(all_engines, sys.argv[1:]), "absent_modules": absent})
    measure(Plan(options, all_engines, modules, kernels, guests).round, journal, options.rounds)
    results = report.summarize(journal, all_engines, modules, kernels, guests, options.rounds)
    report.write(results, engines.ROOT if not options.quick else None, folder)
    if options.quick:
        print("bench: of a quick run these say only that all works:", file=sys.stderr)
    print("\n".join(report.marks(results)))


if __name__ == "__main__":
    main()
