"""What bench/run http measures: each server with its handler, both made from sources here. What cannot be made or had
says why in `missing`."""
import os
import shutil
import subprocess

import engines

HERE = os.path.dirname(os.path.abspath(__file__))
BIN = os.environ.get("WRUN_HTTP_BENCH", os.path.join(engines.ROOT, "build/release/bin"))
RATE = os.path.join(BIN, "http_rate")
WAZERO = os.path.join(engines.PEERS, "wazero_http")
# QuickJS' sources, from bench/install.
QUICKJS = os.path.join(engines.PEERS, "pypi/quickjs")
# What the handler in Go learns while it is prepared: nothing that an answer depends on.
TAINTS = "args,env,clock,random,files"


class Subject:
    """`command(port)`; `files` are all that decides what is measured. `loads` names those that it can answer."""

    def __init__(self, name, label, does, loads, words, files, missing=None):
        self.name, self.label, self.does, self.loads, self.words = name, label, does, loads, words
        self.files = files
        self.missing = missing or next(
            (f"{os.path.relpath(path, engines.ROOT)} is not there" for path in files if not os.path.exists(path)), None)

    def command(self, port):
        return [word.replace("{port}", str(port)) for word in self.words]


def make(target, environment, *commands):
    """Why it could not be made, or None."""
    for command in commands:
        if shutil.which(command[0]) is None:
            return f"{os.path.basename(command[0])} is not there"
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, cwd=HERE)
        if done.returncode != 0:
            return f"{os.path.basename(target)} is not built: {engines.reason(done.stderr)}"
    return None


def of_c(folder, name):
    target = os.path.join(folder, f"{name}.wasm")
    # --no-entry: these are made without a C library, and _start is an export like others.
    return target, make(target, {}, [
        "clang-16", "--target=wasm32", "-O2", "-Wall", "-Wextra", "-Werror", "-nostdlib", "-s", "-Wl,--no-entry",
        "-Wl,-z,stack-size=4096", "-o", target, f"handlers/{name}.c"])


def component(folder):
    target, embedded = os.path.join(folder, "component.wasm"), os.path.join(folder, "embedded.wasm")
    tools = engines.peer("wasm-tools") or "wasm-tools"
    return target, make(target, {},
                        [tools, "component", "embed", "component", "component/handler.wat", "--world",
                         "proxy", "-o", embedded],
                        [tools, "component", "new", embedded, "-o", target])


def of_go(folder):
    target = os.path.join(folder, "json.wasm")
    how = {"GOOS": "wasip1", "GOARCH": "wasm", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    return target, make(target, how, ["go", "build", "-trimpath", "-ldflags=-s", "-buildmode=c-shared", "-o", target,
                                      "json/main.go"])


def of_quickjs(folder):
    """The interpreter with handler.js in it, and its snapshot, in which that is loaded."""
    module, snapshot = (os.path.join(folder, name) for name in ("quickjs.wasm", "quickjs.wrun"))
    if not os.path.isdir(QUICKJS):
        return module, snapshot, "QuickJS' sources are not there (bench/install)"
    with open(os.path.join(HERE, "quickjs/handler.js"), "rb") as file:
        bytes_of_script = ",".join(map(str, file.read()))
    with open(os.path.join(folder, "handler.js.inc"), "w", encoding="utf-8") as file:
        file.write(bytes_of_script)
    # EMSCRIPTEN: what it calls a system without threads and rounding modes.
    return module, snapshot, make(
        module, {},
        ["clang-16", "--target=wasm32-wasi", "-O2", "-s", "-w", "-D_GNU_SOURCE", '-DCONFIG_VERSION=""', "-DEMSCRIPTEN",
         "-DFE_DOWNWARD=0", "-DFE_UPWARD=0", "-isystem", QUICKJS, "-isystem", folder, "-Wl,-z,stack-size=262144",
         "-o", module, "quickjs/main.c", *(os.path.join(QUICKJS, f"{name}.c")
                             for name in ("quickjs", "cutils", "libregexp", "libunicode", "libbf"))],
        # Its random numbers are seeded by the time, which no answer depends on.
        [os.path.join(BIN, "wrun"), "snapshot", "--init-allow=clock", module, "-o", snapshot])


def subjects(folder):
    bare, native, wrun = (os.path.join(BIN, name) for name in ("http_bare", "http_native", "wrun"))
    node, wasmtime = engines.Node.program, engines.peer("wasmtime") or "wasmtime"
    wagi, no_wagi = of_c(folder, "wagi")
    http_wasm, no_http_wasm = of_c(folder, "http_wasm")
    made, no_component = component(folder)
    json, no_json = of_go(folder)
    quickjs, quickjs_snapshot, no_quickjs = of_quickjs(folder)

    def serve(handler, *words):
        return [wrun, "serve", "--threads", "1", "--no-access-log", "--no-cache", "--addr", "127.0.0.1:{port}", *words,
                handler]

    return [
        Subject("bare", "bare epoll and llhttp", "one epoll loop, llhttp, a fixed answer", ("single", "pipelined"),
                [bare, "{port}"], [bare]),
        Subject("native", "wrun's server, C++ handler", "`bench/http/native.cpp`", ("single", "pipelined"),
                [native, "{port}"], [native]),
        Subject("wagi", "wrun serve, WAGI", "`wrun serve`, a fresh instance for each request",
                ("single", "pipelined"), serve(wagi), [wrun, wagi], no_wagi),
        Subject("http-wasm", "wrun serve, http-wasm", "the same by the other ABI", ("single", "pipelined"),
                serve(http_wasm), [wrun, http_wasm], no_http_wasm),
        Subject("wasmtime", "wasmtime serve", "`--max-instance-reuse-count 1`, a component of wasi:http 0.2",
                ("single",), [wasmtime, "serve", "--max-instance-reuse-count", "1", "--addr", "127.0.0.1:{port}", made],
                [wasmtime, made], no_component),
        Subject("wazero", "wazero, http-wasm", "http-wasm-host-go in Go's server; it keeps instances for other "
                "requests", ("single",), [WAZERO, http_wasm, "{port}"], [WAZERO, http_wasm], no_http_wasm),
        Subject("node", "Node's http", "handlers in JavaScript, no WebAssembly", ("single", "json"),
                [node, os.path.join(HERE, "node.js"), "{port}"], [node, os.path.join(HERE, "node.js")]),
        Subject("quickjs-snapshot", "wrun serve, QuickJS from a snapshot", "`bench/http/quickjs`: WAGI, a fresh "
                "instance for each request, in which the interpreter is made and the script loaded", ("json",),
                serve(quickjs_snapshot, "--allow-precompiled", "--allow-tainted", "clock"), [wrun, quickjs_snapshot],
                no_quickjs),
        Subject("quickjs", "wrun serve, QuickJS", "the same without: each instance makes and loads them", ("json",),
                serve(quickjs), [wrun, quickjs], no_quickjs),
        Subject("json", "wrun serve, Go's encoding/json", "an http-wasm handler in Go", ("json",),
                serve(json, "--allow-tainted", TAINTS), [wrun, json], no_json),
    ]
