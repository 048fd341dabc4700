#!/usr/bin/env python3
"""http-wasm's own kit against a server of wrun: the kit's guest behind its own Go runner and in front of its backend.
usage: tck.py WRUN        exit code 0 when all cases pass, 77 (and why) where there is no Go or no module of it.
The kit comes from the module proxy, by the version and sums in tck/go.mod and tck/go.sum."""
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KIT = os.path.join(HERE, "tck")
CASES = 35


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def build(folder, output, *arguments):
    environment = {**os.environ, "GOFLAGS": "-mod=readonly"}
    try:
        done = subprocess.run(["go", *arguments, "-o", output, folder], cwd=KIT, env=environment, text=True,
                              capture_output=True, timeout=600)
    except FileNotFoundError:
        skip("there is no Go")
    if done.returncode != 0:
        skip("the kit cannot be built: " + done.stderr.strip()[-500:])


def serve(wrun, guest, backend):
    """The server's process and its address, which it says itself."""
    command = [wrun, "serve", guest, "--upstream", backend, "--addr", "127.0.0.1:0"]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = ""
    for line in server.stderr:
        said += line
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if found and found.group() != backend:
            return server, found.group()
    sys.exit(f"no server: {said}")


def count(output):
    """Cases that passed, and the names of those that failed. The kit runs all of them as subtests of one test."""
    results = {name: how for how, name in re.findall(r"--- (PASS|FAIL): TestKit/(\S+)", output)}
    failed = [name for name, how in results.items() if how == "FAIL"]
    return len(results) - len(failed), failed


def main(wrun):
    with tempfile.TemporaryDirectory() as folder:
        guest, backend, runner = (os.path.join(folder, name) for name in ("tck.wasm", "backend", "runner"))
        build("./backend", backend, "build")
        build(".", runner, "test", "-c")
        with subprocess.Popen([backend, guest], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            server, address = serve(wrun, guest, process.stdout.readline().strip())
            try:
                done = subprocess.run([runner, "-test.v"], env={**os.environ, "WRUN_TCK_SERVER": address}, text=True,
                                      capture_output=True, timeout=120)
            finally:
                server.terminate()
                server.wait()
                process.stdin.close()
    passed, failed = count(done.stdout)
    print(f"{passed} / {CASES}" + "".join(f"\nfailed: {name}" for name in failed))
    if done.returncode != 0 or failed or passed != CASES:
        print(done.stdout[-4000:] + done.stderr[-1000:])
        sys.exit(1)


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
