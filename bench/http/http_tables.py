"""From figures of bench/run http to docs/performance/http.json, the tables of docs/serve-performance.md and marks."""
import report

NATIVE_OVER_BARE = 1.15
OF_NATIVE = 0.8
OVER_WASMTIME = 5
LOADS = {"single": "requests one by one", "pipelined": "sixteen at a time", "json": "a body of JSON"}


def figure(results, load, subject, what):
    return results["loads"].get(load, {}).get(subject, {}).get(what)


def ratio(results, what, one, other):
    left, right = (figure(results, "single", name, what) for name in (one, other))
    return left / right if left and right else None


def mark(name, value, is_good, wanted):
    if value is None:
        return f"{name}: not measured"
    return f"{name}: {value:.2f}, wanted {wanted}: {'pass' if is_good(value) else 'miss'}"


def marks(results):
    yield mark("CPU of a request, wrun's server with a C++ handler over the bare loop",
               ratio(results, "cpu_us", "native", "bare"), lambda value: value <= NATIVE_OVER_BARE,
               f"≤ {NATIVE_OVER_BARE}")
    for name, label in (("wagi", "WAGI"), ("http-wasm", "http-wasm")):
        yield mark(f"requests/s, {label} over a C++ handler", ratio(results, "requests_per_second", name, "native"),
                   lambda value: value >= OF_NATIVE, f"≥ {OF_NATIVE}")
        # The same where other machines on this host take time away from the server or its client.
        yield mark(f"requests per second of its own CPU time, {label} over a C++ handler",
                   ratio(results, "cpu_us", "native", name), lambda value: value >= OF_NATIVE, f"≥ {OF_NATIVE}")
        yield mark(f"requests/s, {label} over wasmtime serve",
                   ratio(results, "requests_per_second", name, "wasmtime"),
                   lambda value: value >= OVER_WASMTIME, f"≥ {OVER_WASMTIME}")


def rows(results, load):
    """As (label, cell) of everyone who was given it, and of whom it failed for."""
    cells = results["loads"].get(load, {})
    return [(one["label"], cells[one["name"]]) for one in results["subjects"] if one["name"] in cells]


def costs(results):
    yield from ("| load | server | CPU µs | of it user | requests/s |", "|---|---|---:|---:|---:|")
    for load, text in LOADS.items():
        for label, cell in rows(results, load):
            if "failed" in cell:
                yield f"| {text} | {label} | failed: {cell['failed']} | | |"
            else:
                yield (f"| {text} | {label} | {cell['cpu_us']:.2f} | {cell['user_us']:.2f} | "
                       f"{cell['requests_per_second']:.0f} |")


def latencies(results):
    yield from ("| server | requests/s | p50 µs | p99 µs | p99.9 µs | max µs |", "|---|---:|---:|---:|---:|---:|")
    for label, cell in rows(results, "latency"):
        if "failed" in cell:
            yield f"| {label} | failed: {cell['failed']} | | | | |"
        else:
            yield f"| {label} | {cell['rate']:.0f} | " + " | ".join(
                f"{cell[what]:.0f}" for what in ("p50_us", "p99_us", "p999_us", "max_us")) + " |"


def tables(results):
    yield "machine", report.machine({**results, "absent_modules": []}, [
        f"| {one['label']} | {one['does']}{one['missing'] and '; skipped: ' + one['missing'] or ''} |"
        for one in results["subjects"]])
    yield "marks", [f"- {line}" for line in marks(results)]
    yield "costs", list(costs(results))
    yield "latency", list(latencies(results))


def text(results):
    """The same for a terminal."""
    return [*costs(results), "", *latencies(results), "", *marks(results)]


def write(results, root):
    report.write_page(root, "docs/performance/http.json", "docs/serve-performance.md", results, tables(results))
