"""From figures of start_bench and spawn_bench to docs/performance/start.json, the tables of docs/start.md and the
marks. A cell is the median over all rounds: of their medians, of their 99th percentiles."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cold"))

import report  # noqa: E402
from tables import Grid, at, mark, merged, number, pair  # noqa: E402

FIRST_US = 60
FASTER = 5
RAW_FASTER = 20
HELLO_MS = 1


def summarize(journal, known, rounds):
    results = {**journal.facts, "rounds": rounds, **known, **{what: {} for what in ("first", "cached", "raw")}}
    for what, item, subject, number_ in journal.seen:
        if number_ != 0:
            continue
        lines = [journal.seen.get((what, item, subject, turn)) for turn in range(rounds)]
        lines = [line for line in lines if line]
        failed = [line for line in lines if "failed" in line]
        figures = [{key: value for key, value in line.get("figures", {}).items() if key != "module"} for line in lines]
        cell = {"failed": failed[0]["failed"]} if failed else merged(figures)
        results[what].setdefault(item, {})[subject] = cell
    return results


def ratio(cells, path, one, other):
    """How much longer `other` takes."""
    base, value = at(cells.get(one, {}), *path), at(cells.get(other, {}), *path)
    return value / base if base and value else None


def wanted_ratio(name, value, wanted):
    """More is better."""
    if value is None:
        return f"{name}: not measured"
    return f"{name}: {value:.1f} times, wanted ≥ {wanted}: {'pass' if value >= wanted else 'miss'}"


def marks(results):
    for item, cells in results["first"].items():
        found = at(cells, "wrun-static", "both", "p50_ns")
        if item != "hello":
            yield mark(f"artifact in the page cache → first instruction of {item}, p50",
                       None if found is None else found / 1e3, FIRST_US, "µs")
    for item, cells in results["cached"].items():
        if item == "hello":
            found = at(cells, "wrun-static", "whole", "p50_ns")
            yield mark("hello from the cache, whole process, p50", None if found is None else found / 1e6, HELLO_MS,
                       "ms")
            continue
        for subject in ("wrun-static", "wrun-precompiled"):
            yield wanted_ratio(f"{item} as a process, wasmtime run --allow-precompiled over {subject}, p50",
                               ratio(cells, ("whole", "p50_ns"), subject, "wasmtime"), FASTER)
    yield wanted_ratio("raw gojq, first output, wasmtime over wrun-static, p50",
                       ratio(results["raw"].get("gojq", {}), ("first_output", "p50_ns"), "wrun-static", "wasmtime"),
                       RAW_FASTER)


def tables(results):
    def size(name):
        return f"{results['modules'].get(name, 0) / 1e6:.1f} MB" if results["modules"].get(name, 0) > 1000 else (
            f"{results['modules'].get(name, 0)} B")

    yield "machine", report.machine(results, [
        f"| {subject['label']} | {subject['does']}{subject['missing'] and '; skipped: ' + subject['missing']} |"
        for subject in results["subjects"]])
    yield "marks", [f"- {line}" for line in marks(results)]
    lines = ["| module | size | load | instantiate | both: first instruction | first call of the host | page faults |",
             "|---|---:|---:|---:|---:|---:|---:|"]
    for item, cells in results["first"].items():
        cell = cells["wrun-static"]
        steps = [pair(cell.get(step)) or "–" for step in ("load", "instantiate", "both")]
        called = at(cell, "first_host_call")
        steps.append(pair(called) if called and called["count"] else "–")
        lines.append(f"| {item} | {size(item)} | " + " | ".join(steps) + f" | {number(cell.get('faults', 0))} |")
    yield "first", lines
    yield "cached", Grid(results, "cached").text("program", lambda item, cell: pair(cell.get("whole"), 1e6))
    yield "cpu", Grid(results, "cached").text(
        "program", lambda item, cell: number(cell["cpu_ns"] / 1e6) if "cpu_ns" in cell else None)
    yield "faults", Grid(results, "cached").text(
        "program", lambda item, cell: number(cell["faults"]) if "faults" in cell else None)
    yield "raw", Grid(results, "raw").text(
        "program", lambda item, cell: number(at(cell, "first_output", "p50_ns") / 1e6)
        if at(cell, "first_output", "count") else None)


def read(root):
    return report.read_figures(root, "docs/performance/start.json")


def write(results, root):
    report.write_page(root, "docs/performance/start.json", "docs/start.md", results, tables(results))
