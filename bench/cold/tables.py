"""From figures of cold_bench to docs/performance/cold.json, the tables of docs/cold-start.md and the marks. A cell is
the median over all rounds: of their medians, of their 99th percentiles."""
import statistics

import report

# Which subjects are given what, besides the handlers, which all are given.
THREADS = ("wrun", "wrun-watched", "wasmtime-pool", "native-copy", "native-drop")
LARGE = ("wrun", "wrun-store", "wasmtime-pool", "wasmtime-keep", "wasmtime-demand")
LIVE = ("wrun", "wasmtime-pool", "wasmtime-demand")
STORE_HANDLERS = ("empty", "small", "medium")  # always the same, and slow
STEPS = ("wrun", "wrun-watched", "wrun-scan", "wrun-drop", "wasmtime-pool", "native-gate", "native-drop")

FLOORS = ("native-copy", "native-gate")
WAYS = {"wrun-watched": "watched by writes", "wrun": "watched by page faults"}

CYCLE_US = {"empty": 0.5, "pages-4": 0.6, "pages-16": 1.5}
THREADS_RATIO = 1.15
BOUND_US = {"gojq": 5, "esbuild": 5}
UNBOUND_US = {"gojq": 250, "esbuild": 250, "SQLite": 30, "QuickJS": 30}
LIVE_COUNT = 10_000
LIVE_EXTRA_BYTES = 16 * 1024


def merged(figures):
    """Objects of the same shape → one with the median of every number."""
    first = figures[0]
    if isinstance(first, dict):
        return {key: merged([one[key] for one in figures if key in one]) for key in first}
    return statistics.median(figures)


def summarize(journal, known, rounds):
    results = {**journal.facts, "rounds": rounds, **known,
               **{what: {} for what in ("cycles", "threads", "large", "live")}}
    for what, item, subject, number in journal.seen:
        if number != 0:
            continue
        lines = [journal.seen.get((what, item, subject, at)) for at in range(rounds)]
        lines = [line for line in lines if line]
        failed = [line for line in lines if "failed" in line]
        cell = failed[0] if failed else merged([line["figures"] for line in lines])
        results[what].setdefault(item, {})[subject] = {key: cell[key] for key in cell if key != "key"}
    return results


def at(cell, *path):
    """What lies there, or nothing."""
    for name in path:
        cell = cell.get(name) if isinstance(cell, dict) else None
    return cell


# ---- marks -------------------------------------------------------------------------------------------------------

def mark(name, value, wanted, unit):
    """Less is better."""
    if value is None:
        return f"{name}: not measured"
    by = f", {abs(value / wanted - 1) * 100:.0f} % " if wanted else ""
    verdict = "pass" if value <= wanted else "miss"
    return f"{name}: {number(value)} {unit}, wanted ≤ {wanted:g}: {verdict}" + (
        by + ("to spare" if verdict == "pass" else "too much") if by else "")


def marks(results):
    us = lambda *path: None if at(results, *path) is None else at(results, *path) / 1e3
    for handler, wanted in CYCLE_US.items():
        for subject, way in WAYS.items():
            yield mark(f"start + `{handler}` + reset, {way}, p50",
                       us("cycles", handler, subject, "cycle", "p50_ns"), wanted, "µs")
        floors = [us("cycles", handler, floor, "cycle", "p50_ns") for floor in FLOORS]
        if None not in floors:
            yield "the same in plain C++: the copy alone {} µs, with `getrusage` {} µs".format(*map(number, floors))
    for handler, cells in results["threads"].items():
        for subject, way in WAYS.items():
            yield mark(f"two threads over one alone, `{handler}`, {way}, p50",
                       threads_ratio(cells.get(subject)), THREADS_RATIO, "times")
    for handler in CYCLE_US:
        for subject, way in WAYS.items():
            yield mark(f"page faults per cycle, `{handler}`, {way}",
                       at(results, "cycles", handler, subject, "faults_per_cycle"), 0, "faults")
    for place, label, limits in (("bound", "pre-bound", BOUND_US), ("unbound", "unbound", UNBOUND_US)):
        for module, wanted in limits.items():
            yield mark(f"start of {module} in a slot that is {label}, p50",
                       us("large", module, "wrun", place, "start", "p50_ns"), wanted, "µs")
    for cells in list(results["live"].values()) or [{}]:
        cell = cells.get("wrun", {})
        wanted = (cell.get("hot_bytes", 0) + LIVE_EXTRA_BYTES) / 1024
        kept = cell.get("private_dirty_bytes_each")
        count = f"{cell.get('count', LIVE_COUNT):,.0f}"
        yield mark(f"private memory of each of {count} live instances (hot set + 16 KiB)",
                   None if kept is None else kept / 1024, wanted, "KiB")


def threads_ratio(cell):
    return at(cell, "at_once", "p50_ns") / at(cell, "alone", "p50_ns") if at(cell, "alone", "p50_ns") else None


# ---- tables ------------------------------------------------------------------------------------------------------

def number(value):
    """Three figures, but nothing smaller than a hundredth: the timer has steps of 10 ns."""
    return "0" if value == 0 else f"{value:.{0 if value >= 99.5 else 1 if value >= 9.95 else 2}f}"


class Grid:
    """Rows of items, columns of subjects, below the reasons of what failed."""

    def __init__(self, results, what, only=None):
        self.rows = results[what]
        self.subjects = [subject for subject in results["subjects"]
                         if any(subject["name"] in cells for cells in self.rows.values())
                         and (only is None or subject["name"] in only)]
        self.notes = []

    def text(self, first, value):
        """`value` makes a cell's text, or nothing."""
        lines = ["| " + " | ".join([first, *(subject["label"] for subject in self.subjects)]) + " |",
                 "|---|" + "---:|" * len(self.subjects)]
        for item, cells in self.rows.items():
            shown = []
            for subject in self.subjects:
                cell = cells.get(subject["name"], {})
                if "failed" in cell:
                    self.notes.append(f"{subject['label']} failed on {item}: {cell['failed']}.")
                shown.append("failed" if "failed" in cell else (value(item, cell) or "–"))
            lines.append("| " + " | ".join([item, *shown]) + " |")
        return lines + [""] * bool(self.notes) + self.notes


def pair(figures, scale=1e3):
    """p50 / p99."""
    return f"{number(figures['p50_ns'] / scale)} / {number(figures['p99_ns'] / scale)}" if figures else None


def started(figures):
    """How long the start took; how long the end."""
    return f"{pair(figures['start'])}; {number(figures['finish']['p50_ns'] / 1e3)}" if figures else None


def tables(results):
    cycles = results["cycles"]
    p50 = lambda cell: at(cell, "cycle", "p50_ns")

    def in_calls(item, cell):
        call = at(cell, "system_call", "p50_ns")
        return pair(cell.get("cycle"), call) if call else None

    def over_wrun(item, cell):
        base = p50(cycles[item].get("wrun", {}))
        return number(p50(cell) / base) if base and p50(cell) is not None else None

    def noise(item, cell):
        if not at(cell, "nothing", "p99_ns"):
            return None
        return f"{number(at(cell, 'cycle', 'p99_ns') / 1e3)} / {number(at(cell, 'nothing', 'p99_ns') / 1e3)}"

    def steps(item, cell):
        found = [at(cell, step, "p50_ns") for step in ("start", "call", "finish")]
        return " + ".join(number(one / 1e3) for one in found) if None not in found else None

    calls = [at(cell, "system_call", "p50_ns") for cells in cycles.values() for cell in cells.values()]
    calls = [call for call in calls if call]
    yield "machine", report.machine(results, [
        *([f"| a bare system call | {statistics.median(calls):.0f} ns |"] if calls else []),
        *(f"| {subject['label']} | {subject['does']}{subject['missing'] and '; skipped: ' + subject['missing']} |"
          for subject in results["subjects"])])
    yield "marks", [f"- {line}" for line in marks(results)]
    yield "handlers", ["| handler | what it does |", "|---|---|",
                       *(f"| {handler['name']} | {handler['does']} |" for handler in results["handlers"])]
    yield "cycle", Grid(results, "cycles").text("handler", lambda item, cell: pair(cell.get("cycle")))
    yield "ratio", Grid(results, "cycles").text("handler", over_wrun)
    yield "calls", Grid(results, "cycles").text("handler", in_calls)
    yield "noise", Grid(results, "cycles").text("handler", noise)
    yield "steps", Grid(results, "cycles", STEPS).text("handler", steps)
    yield "faults", Grid(results, "cycles").text(
        "handler", lambda item, cell: number(cell["faults_per_cycle"]) if "faults_per_cycle" in cell else None)
    yield "threads", Grid(results, "threads").text(
        "handler", lambda item, cell: f"{pair(cell['alone'])}; {pair(cell['at_once'])}; {number(threads_ratio(cell))}"
        if threads_ratio(cell) else None)
    for place in ("bound", "unbound", "no_slot"):
        yield f"large_{place}", Grid(results, "large").text(
            "module", lambda item, cell, place=place: started(at(cell, place)))
    yield "live", live(results)


def live(results):
    grid = Grid(results, "live")
    lines = ["| | " + " | ".join(subject["label"] for subject in grid.subjects) + " |",
             "|---|" + "---:|" * len(grid.subjects)]
    cells = [cells for cells in grid.rows.values()]
    if not cells:
        return ["Not measured."]
    for label, key, scale in (("instances", "count", 1), ("pages written by each, KiB", "hot_bytes", 1024),
                              ("private pages of each, KiB", "private_dirty_bytes_each", 1024),
                              ("resident, shared pages by share, KiB", "proportional_bytes_each", 1024),
                              ("resident, shared pages counted for each, KiB", "resident_bytes_each", 1024),
                              ("page tables, KiB", "page_table_bytes_each", 1024),
                              ("mappings", "mappings_each", 1)):
        shown = [at(cells[0].get(subject["name"]), key) for subject in grid.subjects]
        lines.append("| " + " | ".join([label, *("–" if one is None else number(one / scale) for one in shown)]) + " |")
    shown = [pair(at(cells[0].get(subject["name"]), "start_and_call")) or "–" for subject in grid.subjects]
    return lines + ["| " + " | ".join(["first start and call, µs, p50 / p99", *shown]) + " |"]


def read(root):
    return report.read_figures(root, "docs/performance/cold.json")


def write(results, root):
    report.write_page(root, "docs/performance/cold.json", "docs/cold-start.md", results, tables(results))
