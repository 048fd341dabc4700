"""The plots beside the tables, as SVG that is the same for the same figures."""
import os

import matplotlib
import matplotlib.ticker

matplotlib.use("svg")
matplotlib.rcParams.update({"svg.hashsalt": "wrun", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False,
                            "axes.spines.right": False})
import matplotlib.pyplot as plt  # noqa: E402  the back end is chosen first

import report  # noqa: E402

COLOURS = {"wrun": "#c0392b", "spidermonkey": "#e59866", "liftoff": "#2e86c1", "winch": "#7d9d4b",
           "turbofan": "#1b4f72", "cranelift": "#3f5a1d", "wazero": "#888888"}


def bars(path, title, axis, rows, names, results, value, log=False, line=None):
    """A group of horizontal bars for each item; what has no value has no bar."""
    labels = {engine["name"]: engine["label"] for engine in results["engines"]}
    names = [name for name in names if any(value(item, cells.get(name, {})) for item, cells in rows.items())]
    thickness = 0.8 / max(1, len(names))
    figure, plane = plt.subplots(figsize=(7.5, 0.9 + len(rows) * (0.12 + 0.11 * len(names))), layout="constrained")
    for position, name in enumerate(names):
        found = [(index - 0.4 + (position + 0.5) * thickness, value(item, cells.get(name, {})))
                 for index, (item, cells) in enumerate(rows.items())]
        found = [(at, length) for at, length in found if length]
        plane.barh([at for at, _ in found], [length for _, length in found], thickness * 0.9, label=labels[name],
                   color=COLOURS[name])
    plane.set_yticks(range(len(rows)), list(rows))
    plane.invert_yaxis()
    if log:
        plane.set_xscale("log")
        plane.xaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
    if line is not None:
        plane.axvline(line, color="black", linewidth=0.6)
    plane.set_xlabel(axis)
    plane.set_title(title, loc="left", fontsize=10)
    plane.grid(axis="x", linewidth=0.3)
    plane.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    # The writer leaves blanks at line ends, which the tree does not have.
    with open(path) as file:
        text = "\n".join(part.rstrip() for part in file.read().split("\n"))
    with open(path, "w") as file:
        file.write(text)


def relative(rows):
    """Time of Liftoff ÷ time of the engine."""
    def value(item, cell):
        base, own = report.time_of(rows[item].get("liftoff", {}), "run"), report.time_of(cell, "run")
        return base / own if base and own else None
    return value


def draw(results, folder):
    everyone = list(COLOURS)
    speed = lambda item, cell: report.speed(results, item, cell)
    size = lambda item, cell: report.code_ratio(results, item, cell)
    bars(os.path.join(folder, "compile.svg"), "Validate and compile, one thread", "MB of code section per CPU second "
         "(more is better)", results["compile"], everyone, results, speed, log=True)
    bars(os.path.join(folder, "size.svg"), "Machine code", "bytes for each byte of code section (less is better)",
         results["compile"], everyone, results, size, line=report.CODE_RATIO)
    for kind, name in (("kernel", "kernels"), ("guest", "guests")):
        rows = report.worth_a_mean(results[kind])
        if rows:
            bars(os.path.join(folder, name + ".svg"), f"Run time of {name}", "speed, Liftoff = 1 (more is better)",
                 rows, everyone, results, relative(rows), line=1)
