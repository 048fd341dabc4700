"""From samples to figures: medians as JSON, the marked tables of docs/performance.md, and the three first marks.
A cell is the median of all samples of all rounds; `failed` and `–` are explained below each table."""
import json
import math
import os
import re
import statistics
import sys
import textwrap

import corpus

# What is to be reached, by the geometric mean over everything that both engines did.
COMPILE_RATIO = 2.0
RUN_RATIO = 1.15
CODE_RATIO = 3.0
# What takes Liftoff less is shown but not part of a mean: it says little about code.
RUN_NS_MIN = 10e6


def geomean(values):
    values = list(values)
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else None


def figures(samples):
    """Of one thing on one engine, from the samples of all rounds."""
    result = {}
    for what, value in samples[0].items():
        if not isinstance(value, dict):
            result[what] = value
            continue
        for clock in ("cpu_ns", "wall_ns"):
            numbers = [number for sample in samples for number in sample.get(what, {}).get(clock, [])]
            if numbers:
                result.setdefault(what, {})[clock] = {"median": round(statistics.median(numbers)), "min": min(numbers),
                                                      "max": max(numbers), "samples": len(numbers)}
    return result


def row(journal, kind, item, engine, rounds):
    lines = [journal.seen.get((kind, engine.name, item.name, number)) for number in range(rounds)]
    lines = [line for line in lines if line]
    failed = [line["failed"] for line in lines if "failed" in line]
    if failed:
        return {"failed": failed[0]}
    if lines:
        return figures([line["samples"] for line in lines])
    return {"skipped": engine.missing or ("not measured")}


def summarize(journal, all_engines, modules, kernels, guests, rounds):
    def table(kind, items, which):
        return {item.name: {engine.name: row(journal, kind, item, engine, rounds) for engine in all_engines
                            if which(engine)} for item in items}

    large = [module for module in modules if any(key[0] == "threads" and key[2] == module.name for key in journal.seen)]
    return {
        **journal.facts, "rounds": rounds,
        "modules": {module.name: {"code_section_bytes": module.code_bytes, "origin": module.origin,
                                  "repeats": module.repeats()} for module in modules},
        "compile": table("compile", modules, lambda engine: True),
        "threads": table("threads", large, lambda engine: engine.tells_threads),
        "kernel": table("kernel", kernels, lambda engine: True),
        "guest": table("guest", guests, lambda engine: engine.runs_guests),
    }


# ---- figures of one kind -----------------------------------------------------------------------------------------

def time_of(cell, what="compile", clock="cpu_ns"):
    """The median in ns, or nothing."""
    return cell.get(what, {}).get(clock, {}).get("median") or None if isinstance(cell.get(what), dict) else None


def speed(results, module, cell, what="compile"):
    """MB of code section per second."""
    ns = time_of(cell, what)
    return results["modules"][module]["code_section_bytes"] * 1e3 / ns if ns else None


def code_ratio(results, module, cell):
    size = cell.get("machine_code_bytes")
    return size / results["modules"][module]["code_section_bytes"] if size else None


def worth_a_mean(rows):
    """Of what was run, the items that keep Liftoff busy."""
    return {name: cells for name, cells in rows.items()
            if (time_of(cells.get("liftoff", {}), "run") or 0) >= RUN_NS_MIN}


def ratios(rows, value, engine, base):
    """Over all rows where both have a value: value(engine) ÷ value(base)."""
    for name, cells in rows.items():
        if engine in cells and base in cells:
            one, other = value(name, cells[engine]), value(name, cells[base])
            if one and other:
                yield one / other


def marks(results):
    def line(name, value, wanted, good, unit):
        if value is None:
            return f"{name}: not measured"
        verdict = "pass" if good(value, wanted) else "miss"
        return f"{name}: {value:.2f} {unit}, wanted {wanted:.2f}: {verdict}, {abs(value / wanted - 1) * 100:.0f} % " + (
            "to spare" if verdict == "pass" else "short")

    more, less = lambda value, wanted: value >= wanted, lambda value, wanted: value <= wanted
    compiled, guests = results["compile"], worth_a_mean(results["guest"])
    compile_ = geomean(ratios(compiled, lambda name, cell: speed(results, name, cell), "wrun", "liftoff"))
    run = geomean(ratios(guests, lambda name, cell: time_of(cell, "run"), "liftoff", "wrun"))
    code = geomean(filter(None, (code_ratio(results, name, cells["wrun"]) for name, cells in compiled.items())))
    return [line("validate + compile, speed over Liftoff", compile_, COMPILE_RATIO, more, "times"),
            line("run time of guests, speed over Liftoff", run, RUN_RATIO, more, "times"),
            line("code size", code, CODE_RATIO, less, "bytes for each of wasm")]


# ---- tables ------------------------------------------------------------------------------------------------------

def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


class Table:
    """Rows of cells, with notes for what is no number."""

    def __init__(self, results, rows, names):
        self.results, self.rows = results, rows
        self.engines = [engine for engine in results["engines"] if engine["name"] in names]
        self.notes = []

    def cell(self, name, engine, value):
        cell = self.rows[name].get(engine["name"], {})
        if "failed" in cell:
            self.note(f"{engine['label']} failed on {name}: {cell['failed']}")
            return "failed"
        if "skipped" in cell:
            if engine["missing"]:
                self.note(f"{engine['label']} was skipped: {engine['missing']}")
            else:
                self.note(f"–: an optimizing compiler and more than {corpus.SLOW_BYTES_MAX / 1e6:.1f} MB of code")
            return "–"
        shown = value(name, cell)
        return number(shown) if shown else "–"

    def note(self, text):
        text = text.replace("|", "\\|").replace("<", "&lt;")
        if text not in self.notes:
            self.notes.append(text)

    def text(self, first, value, last=None, extra=(), describe=lambda name: []):
        """`last`: (label, engine → text) of the closing row. `extra`: more headings, filled by `describe`."""
        lines = ["| " + " | ".join([first, *extra, *(engine["label"] for engine in self.engines)]) + " |",
                 "|---|" + "---:|" * (len(extra) + len(self.engines))]
        for name in self.rows:
            lines.append("| " + " | ".join([name, *describe(name),
                                            *(self.cell(name, engine, value) for engine in self.engines)]) + " |")
        for label, of_engine in last or []:
            lines.append("| " + " | ".join([f"**{label}**", *("" for _ in extra),
                                            *(f"**{of_engine(engine)}**" for engine in self.engines)]) + " |")
        notes = textwrap.wrap("; ".join(self.notes) + ".", 118, break_on_hyphens=False) if self.notes else []
        return lines + [""] * bool(notes) + notes


def mean_row(rows, value, base, invert):
    """Each engine's factor to `base` and over how many items."""
    def of_engine(engine):
        pair = (base, engine["name"]) if invert else (engine["name"], base)
        found = list(ratios(rows, value, *pair))
        return f"{geomean(found):.2f} ({len(found)})" if found else "–"
    return of_engine


def machine(results, subjects):
    """The table of what was measured where; `subjects` are the rows of who was measured."""
    return [
        "| | |", "|---|---|",
        f"| date | {results['date']} |", f"| command | `{results['command']}` |", f"| commit | {results['commit']} |",
        f"| machine | {results['machine']}, {results['system']} |",
        f"| load average at the beginning | {results['load_at_begin']} |", *subjects,
        *([f"| absent modules | {', '.join(results['absent_modules'])} |"] if results["absent_modules"] else [])]


def tables(results):
    everyone = [engine["name"] for engine in results["engines"]]
    code_bytes = lambda name: [f"{results['modules'][name]['code_section_bytes']:,}".replace(",", " ")]
    compiled = results["compile"]
    mb_per_s = lambda name, cell: speed(results, name, cell)
    validated = lambda name, cell: speed(results, name, cell, "validate")
    size = lambda name, cell: code_ratio(results, name, cell)
    run_ms = lambda name, cell: (time_of(cell, "run") or 0) / 1e6
    wall_ms = lambda name, cell: (time_of(cell, clock="wall_ns") or 0) / 1e6
    faster = "speed over Liftoff, geomean (items)"

    yield "machine", machine(results, [
        f"| {engine['label']} | {engine['version'] or 'skipped: ' + str(engine['missing'])}; {engine['how']} |"
        for engine in results["engines"]])
    yield "marks", [f"- {line}" for line in marks(results)]
    yield "compile", Table(results, compiled, everyone).text(
        "module", mb_per_s, [(faster, mean_row(compiled, mb_per_s, "liftoff", False))], ["code bytes"], code_bytes)
    yield "validate", Table(results, compiled, ["wrun", "spidermonkey", "liftoff", "winch"]).text(
        "module", validated, [(faster.replace("Liftoff", "V8"), mean_row(compiled, validated, "liftoff", False))],
        ["code bytes"], code_bytes)
    if results["threads"]:
        one = {name: {engine + "_one": cell for engine, cell in compiled[name].items()} for name in results["threads"]}
        both = {name: {**cells, **one[name]} for name, cells in results["threads"].items()}
        table = Table(results, both, [])
        table.engines = [{**engine, "name": engine["name"] + suffix, "label": engine["label"] + label}
                         for engine in results["engines"] if engine["name"] in ("wrun", "liftoff", "winch")
                         for suffix, label in (("_one", ", 1 thread"), ("", ", 2 threads"))]
        yield "threads", table.text("module", wall_ms, None, ["code bytes"], code_bytes)
    yield "size", Table(results, compiled, ["wrun", "liftoff", "winch", "turbofan", "cranelift"]).text(
        "module", size, [("geomean", lambda engine: mean_of(compiled, size, engine))], ["code bytes"], code_bytes)
    yield "kernels", Table(results, results["kernel"], everyone).text(
        "kernel", run_ms, [(faster, mean_row(worth_a_mean(results["kernel"]), run_ms, "liftoff", True))])
    if results["guest"]:
        names = [name for name in everyone if name != "spidermonkey"]
        yield "guests", Table(results, results["guest"], names).text(
            "guest", run_ms, [(faster, mean_row(worth_a_mean(results["guest"]), run_ms, "liftoff", True))])


def mean_of(rows, value, engine):
    found = [value(name, cells[engine["name"]]) for name, cells in rows.items() if engine["name"] in cells]
    found = [one for one in found if one]
    return f"{geomean(found):.2f} ({len(found)})" if found else "–"


def replace_tables(text, made, page="docs/performance.md"):
    """Each `<!-- measured: NAME -->` … `<!-- end -->` gets the table of that name; both sides must know all names."""
    made = dict(made)

    def one(found):
        lines = made.pop(found[1], ["Not measured."])
        return f"<!-- measured: {found[1]} -->\n" + "\n".join(lines) + "\n<!-- end -->"

    text = re.sub(r"<!-- measured: (\w+) -->\n.*?<!-- end -->", one, text, flags=re.S)
    if made:
        sys.exit(f"bench: {page} has no place for {', '.join(made)}")
    return text


def read_figures(root, data):
    with open(os.path.join(root, data)) as file:
        return json.load(file)


def write_page(root, data, page, results, made):
    """The figures as JSON and the tables made of them into their page, both below root."""
    with open(os.path.join(root, data), "w") as file:
        json.dump(results, file, indent=1, ensure_ascii=False)
        file.write("\n")
    with open(os.path.join(root, page)) as file:
        text = replace_tables(file.read(), made, page)
    with open(os.path.join(root, page), "w") as file:
        file.write(text)


def write(results, root, folder):
    """Into docs/ of the tree, or, without one, all into the folder."""
    target = os.path.join(root, "docs/performance") if root else folder
    os.makedirs(target, exist_ok=True)
    with open(os.path.join(target, "results.json"), "w") as file:
        json.dump(results, file, indent=1, ensure_ascii=False)
        file.write("\n")
    made = list(tables(results))
    if root:
        page = os.path.join(root, "docs/performance.md")
        with open(page) as file:
            text = replace_tables(file.read(), made)
        with open(page, "w") as file:
            file.write(text)
    else:
        with open(os.path.join(folder, "tables.md"), "w") as file:
            file.write("\n\n".join("\n".join([f"## {name}", "", *lines]) for name, lines in made) + "\n")
    try:
        import plots
    except ImportError as error:
        print(f"bench: no plots: {error}", file=sys.stderr)
    else:
        plots.draw(results, target)
