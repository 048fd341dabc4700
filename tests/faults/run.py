#!/usr/bin/env python3
"""Plants the faults of faults.toml, one at a time, in a copy of the tree, and tells which instrument catches each.
usage: run.py [--area AREA] [--all] [--only TEXT] [--checker] [--scratch DIR]
                                     plant, build, run; a table on standard output
       run.py --check                                             only see that every edit still applies
  --area     only faults of this area: codegen, slots, deadlines, fibers, lazy, snapshots or http
  --all      run every instrument on each fault, not the cheapest ones until one catches it
  --checker  build with assertions, so that the state checker of the code generator takes part
  --only     faults whose name contains this
  --from     begin with the fault of this number, the first is 1
  --scratch  where the copy and its build lie (build/faults)
Exit code: 0 every fault was caught, 1 one was not, 2 something else went wrong."""
import argparse
import os
import subprocess
import sys
import time
import tomllib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
AREAS = {"codegen": ["wrun-spec", "wrun-differ", "matrix"], "slots": ["runtime_test", "engine_test"],
         "deadlines": ["runtime_test", "engine_test", "wasi_test"],
         "fibers": ["runtime_test", "engine_test"],
         "lazy": ["wrun-spec", "runtime_test", "engine_test"],
         "snapshots": ["engine_test", "wasi_test", "wrun_cli"],
         "http": ["http_test", "http_replay"]}  # what is built
HOMES = "0,1,2,3,8,16"
# Cheapest first; each is a ctest of its own too, the last one as `matrix`.
INSTRUMENTS = {"codegen": [
    ("suite", ["wrun-spec", "--set", "wasm-v2"]),
    ("suite, strained", ["wrun-spec", "--set", "wasm-v2", "--homes", "2", "--stress", "spill,flush,check"]),
    ("scripts", ["wrun-spec", "--homes", "3", "{scripts}"]),
    ("pressure", ["wrun-differ", "--homes", HOMES, "--pressure", "150"]),
    ("pressure, strained", ["wrun-differ", "--homes", HOMES, "--stress", "spill,check",
                            "--first", "150", "--pressure", "100"]),
    ("matrix, few", ["matrix", "--few"]),
    ("matrix", ["matrix"]),
], "slots": [
    ("reset", ["runtime_test", "--gtest_brief=1", "--gtest_filter=*Reset*:Image*"]),
    ("pool", ["engine_test", "--gtest_brief=1", "--gtest_filter=*Pool*"]),
    ("leak", ["engine_test", "--gtest_brief=1", "--gtest_filter=Leak*"]),
], "deadlines": [
    ("stubs and helpers", ["runtime_test", "--gtest_brief=1", "--gtest_filter=Entry*:Helpers*"]),
    ("meters", ["engine_test", "--gtest_brief=1", "--gtest_filter=Meter*:Epoch*"]),
    ("deadlines", ["engine_test", "--gtest_brief=1", "--gtest_filter=Deadline*"]),
    ("waiting", ["wasi_test", "--gtest_brief=1", "--gtest_filter=Waiting*"]),
    ("edges", ["engine_test", "--gtest_brief=1", "--gtest_filter=EdgeTest*"]),
], "fibers": [
    ("switches", ["runtime_test", "--gtest_brief=1", "--gtest_filter=Fiber*"]),
    ("runs on fibers", ["engine_test", "--gtest_brief=1", "--gtest_filter=FiberTest*"]),
    ("slices", ["engine_test", "--gtest_brief=1", "--gtest_filter=SliceTest*:*SliceKernels*"]),
    ("steps", ["engine_test", "--gtest_brief=1", "--gtest_filter=StepTest*"]),
    ("edges", ["engine_test", "--gtest_brief=1", "--gtest_filter=SliceEdges*"]),
], "lazy": [
    ("stub", ["runtime_test", "--gtest_brief=1", "--gtest_filter=LazyStub*"]),
    ("suite, on call", ["wrun-spec", "--set", "wasm-v2", "--compilation", "on-call"]),
    ("lazy", ["engine_test", "--gtest_brief=1", "--gtest_filter=Lazy.*"]),
    ("lazy, threads", ["engine_test", "--gtest_brief=1", "--gtest_filter=*LazyThreads*"]),
], "snapshots": [
    ("snapshots", ["engine_test", "--gtest_brief=1", "--gtest_filter=Snapshot*:ArtifactDrawing*"]),
    ("clones", ["wasi_test", "--gtest_brief=1", "--gtest_filter=Clone*:Descriptors*:AccessSets*:Preview1*"]),
    ("command", ["wrun", "{snapshot_test}"]),
], "http": [
    ("mutations", ["http_replay", "--mutations", "100000", "{http}"]),
    ("parsers", ["http_test", "--gtest_brief=1", "--gtest_filter=Request*:Response*:Fields*:Text*"]),
    ("routes", ["http_test", "--gtest_brief=1", "--gtest_filter=Routes*:TableRouter*"]),
    ("handlers", ["http_test", "--gtest_brief=1", "--gtest_filter=Wagi*:HttpWasm*:Components*:FixedAnswer*"]),
    ("upstream", ["http_test", "--gtest_brief=1", "--gtest_filter=Upstream*"]),
    ("server", ["http_test", "--gtest_brief=1", "--gtest_filter=Server*:Turns*"]),
]}
SECONDS_MAX = {"codegen": 900, "slots": 900, "deadlines": 120, "fibers": 60, "lazy": 200,
               "snapshots": 200, "http": 120}  # what is not stopped does not end
# The one file that most faults compile anew, and that takes longest.
UNOPTIMISED = b'set_source_files_properties(x64/instantiate.cpp PROPERTIES COMPILE_OPTIONS "-O0;-g0")\n'


def faults(area="", only=""):
    with open(os.path.join(HERE, "faults.toml"), "rb") as file:
        found = tomllib.load(file)["fault"]
    for fault in found:
        fault.setdefault("area", "codegen")
    return [fault for fault in found if area in ("", fault["area"]) and only in fault["name"]]


def check():
    """Whether every edit applies to the tree as it is."""
    wrong = 0
    for fault in faults():
        with open(os.path.join(ROOT, fault["file"]), encoding="utf-8") as file:
            count = file.read().count(fault["find"])
        if count != 1 or fault["find"] == fault["replace"]:
            print(f"{fault['name']}: its text is {count} times in {fault['file']}")
            wrong += 1
    print(f"{len(faults())} faults, {wrong} do not apply")
    return 1 if wrong else 0


class Scratch:
    """A copy of the tree and its build."""

    def __init__(self, folder, checker):
        self.tree = os.path.join(folder, "tree")
        self.build = os.path.join(folder, "checked" if checker else "plain")
        names = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
        self.pristine = {}  # the tree may be worked on meanwhile
        for name in filter(None, names.split("\0")):
            with open(os.path.join(ROOT, name), "rb") as file:
                self.pristine[name] = file.read()
            self.write(name, self.adapted(name, self.pristine[name], checker))
        deps = os.environ.get("WRUN_DEPS_DIR", os.path.join(ROOT, "build", "deps"))
        os.environ.setdefault("WRUN_WASMTIME_LIB", os.path.join(deps, "libwasmtime.so"))  # for the command's tests
        subprocess.run(["cmake", "-G", "Ninja", "-S", self.tree, "-B", self.build, "-DCMAKE_BUILD_TYPE=Release",
                        "-DWRUN_DEVELOPER=ON", f"-DWRUN_DEPS_DIR={deps}"], check=True, stdout=subprocess.DEVNULL)

    @staticmethod
    def adapted(name, content, checker):
        """The file as the copy has it: quick to build, and a fault may leave a variable unused."""
        if name == "codegen/CMakeLists.txt":
            return content + UNOPTIMISED
        if name == "cmake/flags.cmake":
            content = content.replace(b"-Werror", b"-w")
            return content.replace(b" -DNDEBUG", b"") if checker else content
        return content

    def write(self, name, content):
        """Leaves a file alone that has the content already: its time decides what is built."""
        path = os.path.join(self.tree, name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                if file.read() == content:
                    return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        if name.startswith(("tools/", "tests/", "fuzz/")):
            os.chmod(path, 0o755)

    def make(self, area):
        done = subprocess.run(["ninja", "-C", self.build, "-j2", *AREAS[area]], capture_output=True, text=True)
        if done.returncode:
            print(done.stdout[-3000:], file=sys.stderr)
        return done.returncode == 0

    def run(self, area, words):
        """What the instrument says against the build; empty when it finds nothing."""
        scripts = os.path.join(self.tree, "tests", "codegen", "scripts")
        words = [os.path.join(self.build, "bin", words[0]), *words[1:]]
        if words[-1] == "{scripts}":
            words[-1:] = [os.path.join(scripts, name) for name in sorted(os.listdir(scripts))]
        if words[-1] == "{http}":
            words[-1:] = [os.path.join(self.tree, "fuzz", kind, "http") for kind in ("seeds", "regressions")]
        if words[-1] == "{snapshot_test}":
            words = [sys.executable, os.path.join(self.tree, "tests", "cli", "snapshot_test.py"), words[0]]
        try:
            done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=SECONDS_MAX[area])
        except subprocess.TimeoutExpired:
            return "it does not end"
        if done.returncode == 0:
            return ""
        if done.returncode == 77:
            sys.exit("no second engine: " + done.stdout)
        said = (done.stderr + done.stdout).split("\n")
        broken = [line for line in said if "internal error" in line]
        telling = [line for line in said if any(word in line for word in
                                                       ("differ", "expected", "fail", "#", "died", "Which is", "FAIL"))
                   and " 0 failed" not in line]
        return (broken or telling or said)[0].strip()[:160] or f"exit code {done.returncode}"


def plant(scratch, fault, run_all):
    """Rows (instrument, what it said, seconds) of the instruments that were run."""
    text = scratch.pristine[fault["file"]].decode()
    assert text.count(fault["find"]) == 1, fault["name"]
    scratch.write(fault["file"], text.replace(fault["find"], fault["replace"]).encode())
    rows = []
    try:
        if not scratch.make(fault["area"]):
            sys.exit(f"{fault['name']}: does not build")
        for name, words in INSTRUMENTS[fault["area"]]:
            began = time.monotonic()
            said = scratch.run(fault["area"], words)
            rows.append((name, said, time.monotonic() - began))
            if said and not run_all:
                break
    finally:
        scratch.write(fault["file"], text.encode())
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--area", choices=AREAS, default="")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--from", type=int, default=1, dest="first")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--checker", action="store_true")
    parser.add_argument("--scratch", default=os.path.join(ROOT, "build", "faults"))
    options = parser.parse_args()
    if options.check:
        return check()
    if check():
        return 2
    scratch = Scratch(os.path.abspath(options.scratch), options.checker)
    chosen = faults(options.area, options.only)[options.first - 1:]
    for area in {fault["area"] for fault in chosen}:
        if not scratch.make(area):
            return 2
        for name, words in INSTRUMENTS[area]:
            said = scratch.run(area, words)
            if said:
                print(f"without any fault, {name} says: {said}")
                return 2
    print("| fault | caught by | after | it said |\n|---|---|---|---|", flush=True)
    missed = 0
    for fault in chosen:
        rows = plant(scratch, fault, options.all)
        caught = [row for row in rows if row[1]]
        missed += not caught
        names = ", ".join(name for name, _, _ in caught) if caught else "**nothing**"
        said = caught[0][1].replace("|", "/") if caught else ""
        print(f"| {fault['name']} | {names} | {sum(row[2] for row in rows):.0f} s | {said} |", flush=True)
    print(f"{len(chosen)} faults, {missed} not caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
