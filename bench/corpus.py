"""What is measured: modules to compile, kernels, and the guests with known output from the folder in WRUN_GUESTS."""
import csv
import dataclasses
import hashlib
import os
import re
import subprocess
import sys

from engines import HERE, PEERS, ROOT, Failed

# Of packages that bench/npm.lock pins.
NPM_MODULES = {
    "sql.js": "sql.js-1.16.0/dist/sql-wasm.wasm",
    "sqlite-wasm": "@sqlite.org-sqlite-wasm-3.41.2/sqlite-wasm/jswasm/sqlite3.wasm",
    "tree-sitter": "web-tree-sitter-0.27.1/web-tree-sitter.wasm",
    "esbuild": "esbuild-wasm-0.28.2/esbuild.wasm",
    "swc": "@swc-wasm-1.16.18/wasm_bg.wasm",
}
# Optimizing compilers take seconds for each megabyte: larger ones than this are not measured with them.
SLOW_BYTES_MAX = 1_300_000


def leb(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def code_section_bytes(path):
    with open(path, "rb") as file:
        data = file.read()
    at = 8
    while at < len(data):
        section = data[at]
        size, at = leb(data, at + 1)
        if section == 10:
            return size
        at += size
    return 0


class WasmModule:
    def __init__(self, name, path, origin):
        self.name, self.path, self.origin = name, path, origin
        self.code_bytes = code_section_bytes(path)

    def repeats(self):
        """In one process, the same for every engine."""
        return 10 if self.code_bytes < 200_000 else 4 if self.code_bytes < SLOW_BYTES_MAX else 2


@dataclasses.dataclass
class Kernel:
    name: str
    work: int
    expected: int
    path: str


@dataclasses.dataclass
class Guest:
    name: str
    path: str
    args: list
    stdin: str
    preopens: dict
    env: dict
    strip: str
    exit_code: int
    sha256: str
    output: str

    def spec(self):
        return {"module": self.path, "args": [os.path.basename(self.path), *self.args], "env": self.env,
                "preopens": self.preopens, "stdin": self.stdin, "stdout": self.output}

    def check(self, exit_code):
        with open(self.output, "rb") as file:
            out = file.read()
        if self.strip:
            out = re.sub(self.strip.encode(), b"", out)
        if exit_code != self.exit_code:
            raise Failed(f"exit code {exit_code}, not {self.exit_code}")
        if hashlib.sha256(out).hexdigest() != self.sha256:
            raise Failed("its output is not what is expected")


def guests_folder():
    folder = os.environ.get("WRUN_GUESTS")
    if folder and not os.path.isdir(folder):
        sys.exit(f"bench: WRUN_GUESTS is {folder}, which is no folder")
    return folder


def modules():
    """And the names of those that cannot be had."""
    found, absent, folder = [], [], guests_folder()
    for file in sorted(os.listdir(os.path.join(folder, "bin"))) if folder else []:
        if file.endswith(".wasm"):
            found.append(WasmModule(file[:-5], os.path.join(folder, "bin", file), "guest"))
    for name, place in NPM_MODULES.items():
        path = os.path.join(PEERS, "npm", place)
        if os.path.exists(path):
            found.append(WasmModule(name, path, "npm, " + place.split("/")[0]))
        else:
            absent.append(name)
    return sorted(found, key=lambda module: module.code_bytes), absent


def kernels(cache):
    result = []
    with open(os.path.join(HERE, "kernels/kernels.csv")) as file:
        for row in csv.DictReader(file):
            path = os.path.join(cache, row["name"] + ".wasm")
            subprocess.run(["clang-16", "--target=wasm32", "-O2", "-ffreestanding", "-nostdlib", "-Wall", "-Werror",
                            "-Wl,--no-entry", "-Wl,--strip-all", "-I", ROOT, f"-DWORK={row['work']}u",
                            f"-DEXPECTED={row['expected']}u", "-o", path,
                            os.path.join(HERE, "kernels", row["name"] + ".c")], check=True)
            result.append(Kernel(row["name"], int(row["work"]), int(row["expected"]), path))
    return result


def guests(cache):
    folder = guests_folder()
    if not folder:
        return []
    sys.path.insert(0, folder)
    from cases import CASES
    with open(os.path.join(folder, "guests.csv")) as file:
        known = {row["name"]: row["stdout_sha256"] for row in csv.DictReader(file)}
    return [Guest(name, os.path.join(folder, "bin", module + ".wasm"), args,
                  os.path.join(folder, "inputs", stdin) if stdin else os.devnull,
                  {"/in": os.path.join(folder, "inputs")} if needs_inputs else {},
                  dict(pair.split("=", 1) for pair in env), strip, code, known[name], os.path.join(cache, "output"))
            for name, module, args, stdin, needs_inputs, env, strip, code in CASES]
