#!/usr/bin/env python3
"""Measures servers by what a request costs them; `bench/run http` calls it.
usage: http.py [--quick] [--fresh] [--rounds N]
Each server runs alone on the first CPU, wrk on the second. What counts is the CPU time (user and system) that a server
has used, over the requests that wrk saw answered: it says the same on a busy machine, requests per second do not.
Rounds are interleaved: in each, every server is measured in turn, each time another one first. Samples are kept in
build/bench/http/samples.jsonl, so that a run that was broken off goes on; at the end come results.json beside it, and
the table and marks on standard output."""
import hashlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import engines  # noqa: E402
import measure  # noqa: E402

BIN = os.environ.get("WRUN_HTTP_BENCH", os.path.join(engines.ROOT, "build/release/bin"))
WRK = os.path.join(engines.PEERS, "wrk")
CONNECTIONS = 64
# Name → what wrk is told besides.
LOADS = {"single": [], "pipelined": ["-s", os.path.join(HERE, "pipeline.lua")]}
# Name, what it is, its command with the port behind.
SUBJECTS = [
    ("bare", "bare epoll and llhttp", [os.path.join(BIN, "http_bare")]),
    ("native", "wrun's server, C++ handler", [os.path.join(BIN, "http_native")]),
]
RATIO_MAX = 1.15


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for(port, server):
    for _ in range(200):
        if server.poll() is not None:
            raise engines.Failed(f"the server ended with {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except ConnectionError:
            time.sleep(0.02)
    raise engines.Failed("the server does not listen")


def cpu_seconds(process):
    """User, system."""
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:13]]


def load(port, words, seconds):
    """What wrk says when it is done."""
    environment = {**os.environ, "LD_LIBRARY_PATH": os.path.join(WRK, "lib")}
    command = ["taskset", "-c", "1", os.path.join(WRK, "wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency",
               *words, f"http://127.0.0.1:{port}/"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    requests = re.search(r"(\d+) requests in", done.stdout)
    if done.returncode != 0 or not requests or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise engines.Failed("wrk: " + (done.stderr or done.stdout).strip().replace("\n", "; "))
    return int(requests[1]), float(re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)[1])


def sample(command, words, seconds):
    port = free_port()
    server = subprocess.Popen(["taskset", "-c", "0", *command, str(port)], stdout=subprocess.DEVNULL)
    try:
        wait_for(port, server)
        load(port, words, 1)  # what is done once is not counted
        before = cpu_seconds(server.pid)
        requests, per_second = load(port, words, seconds)
        user, system = (after - then for after, then in zip(cpu_seconds(server.pid), before))
    finally:
        server.kill()
        server.wait()
    return {"sample": {"user_us": user * 1e6 / requests, "cpu_us": (user + system) * 1e6 / requests,
                       "requests_per_second": per_second}}


def plan(seconds):
    def of_round(number):
        turn = number % len(SUBJECTS)
        for name, words in LOADS.items():
            for subject, label, command in SUBJECTS[turn:] + SUBJECTS[:turn]:
                yield (name, subject), f"{name:10} {label}", lambda c=command, w=words: sample(c, w, seconds)
    return of_round


def median(journal, load_name, subject, what):
    found = [line["sample"][what] for key, line in journal.seen.items()
             if key[:2] == (load_name, subject) and "sample" in line]
    return statistics.median(found) if found else None


def results_of(journal):
    return {**journal.facts, "loads": {
        name: {subject: {what: median(journal, name, subject, what)
                         for what in ("user_us", "cpu_us", "requests_per_second")} for subject, _, _ in SUBJECTS}
        for name in LOADS}}


def show(results):
    print(f"{'load':10} {'server':28} {'CPU µs':>8} {'of it user':>10} {'requests/s':>11}")
    for name, rows in results["loads"].items():
        for subject, label, _ in SUBJECTS:
            if rows[subject]["cpu_us"] is not None:
                print(f"{name:10} {label:28} {rows[subject]['cpu_us']:8.2f} {rows[subject]['user_us']:10.2f} "
                      f"{rows[subject]['requests_per_second']:11.0f}")
    row = results["loads"]["single"]
    if row["bare"]["cpu_us"] and row["native"]["cpu_us"]:
        ratio = row["native"]["cpu_us"] / row["bare"]["cpu_us"]
        print(f"native over bare, CPU: {ratio:.2f}, wanted at most {RATIO_MAX}: "
              f"{'pass' if ratio <= RATIO_MAX else 'miss'}")


def main():
    folder = os.path.join(engines.ROOT, "build/bench/http")
    options = measure.read_options("bench/run http", "Measures what a request costs servers.", folder, "nothing yet")
    if not os.path.exists(os.path.join(WRK, "wrk")):
        sys.exit("bench: no wrk (bench/install)")
    os.makedirs(folder, exist_ok=True)
    identity = []
    for _, _, command in SUBJECTS:
        with open(command[0], "rb") as program:
            identity.append(hashlib.sha256(program.read()).hexdigest())
    path = os.path.join(folder, "quick.jsonl" if options.quick else "samples.jsonl")
    journal = measure.Journal(path, [identity, options.quick], options.fresh)
    if journal.facts is None:
        journal.begin(measure.facts([], ["http", *sys.argv[1:]]))
    measure.measure(plan(1 if options.quick else 5), journal, options.rounds)
    results = results_of(journal)
    if not options.quick:
        with open(os.path.join(folder, "results.json"), "w") as file:
            json.dump(results, file, indent=1)
    show(results)


if __name__ == "__main__":
    main()
