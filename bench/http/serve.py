#!/usr/bin/env python3
"""Measures servers by what a request costs them; `bench/run http` calls it.
usage: serve.py [--quick] [--fresh] [--rounds N] [--render]
Each server runs alone on the first CPU, wrk on the second. What counts is the CPU time (user and system) that a server
has used, over the requests that wrk saw answered: it says the same on a busy machine, requests per second do not.
Rounds are interleaved: in each, every server is measured in turn, each time another one first. Samples are kept in
build/bench/http/samples.jsonl, so that a run that was broken off goes on; at the end come results.json in
docs/performance/, the tables of docs/serve-performance.md and the marks on standard output."""
import hashlib
import http.client
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE]

import engines  # noqa: E402
import handlers  # noqa: E402
import http_tables as tables  # noqa: E402
import measure  # noqa: E402

WRK = os.path.join(engines.PEERS, "wrk")
FOLDER = os.path.join(engines.ROOT, "build/bench/http")
CONNECTIONS = 64
RATE_MAX = 1_000_000  # of the client that keeps a rate, for what cannot be meant
# What answers what: a load's answer must hold this, so that a fast failure is no record.
LOADS = {
    "single": {"words": [], "body": None, "answer": b"hello, world"},
    "pipelined": {"words": ["-s", os.path.join(HERE, "pipeline.lua")], "body": None, "answer": b"hello, world"},
    "json": {"words": ["-s", os.path.join(HERE, "json.lua")], "body": os.path.join(HERE, "order.json"),
             "answer": b'{"customer":"Ada","items":8,"total":97.5}'},
}


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def ask(port, kind):
    """False as long as nobody listens; fails when the answer is not the one that is meant."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        body = None
        if kind["body"]:
            with open(kind["body"], "rb") as file:
                body = file.read()
        connection.request("POST" if body else "GET", "/", body)
        answer = connection.getresponse()
        text = answer.read()
    except ConnectionRefusedError:
        return False
    except (OSError, http.client.HTTPException) as error:
        raise engines.Failed(f"no answer: {error}")
    finally:
        connection.close()
    if answer.status != 200 or kind["answer"] not in text:
        raise engines.Failed(f"it answers {answer.status} {text[:60]!r}")
    return True


def wait_for(port, server, kind):
    for _ in range(1000):
        if server.poll() is not None:
            raise engines.Failed(f"the server ended with {server.returncode}")
        if ask(port, kind):
            return
        time.sleep(0.02)
    raise engines.Failed("the server does not listen")


def cpu_seconds(process):
    """User, system; of all threads."""
    with open(f"/proc/{process}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return [int(ticks) / os.sysconf("SC_CLK_TCK") for ticks in fields[11:13]]


def client(command, environment, seconds):
    try:
        done = subprocess.run(["taskset", "-c", "1", *command], env={**os.environ, **environment}, capture_output=True,
                              text=True, timeout=seconds + 30)
    except subprocess.TimeoutExpired:
        raise engines.Failed("the client hangs")
    if done.returncode != 0:
        raise engines.Failed(os.path.basename(command[0]) + ": " + done.stderr.strip().replace("\n", "; "))
    return done.stdout


def load(port, words, seconds):
    """What wrk says when it is done."""
    command = [os.path.join(WRK, "wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", *words,
               f"http://127.0.0.1:{port}/"]
    said = client(command, {"LD_LIBRARY_PATH": os.path.join(WRK, "lib")}, seconds)
    requests = re.search(r"(\d+) requests in", said)
    if not requests or "Non-2xx" in said or "Socket errors" in said:
        raise engines.Failed("wrk: " + said.strip().replace("\n", "; "))
    return int(requests[1]), float(re.search(r"Requests/sec:\s*([\d.]+)", said)[1])


class Running:
    """A server on the first CPU that has answered once as it should."""

    def __init__(self, subject, kind):
        self.subject, self.kind = subject, kind

    def __enter__(self):
        self.port = free_port()
        self.server = subprocess.Popen(["taskset", "-c", "0", *self.subject.command(self.port)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_for(self.port, self.server, self.kind)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.server.kill()
        self.server.wait()


def sample(subject, name, seconds):
    kind = LOADS[name]
    with Running(subject, kind) as running:
        load(running.port, kind["words"], 1)  # what is done once is not counted
        before = cpu_seconds(running.server.pid)
        requests, per_second = load(running.port, kind["words"], seconds)
        user, system = (after - then for after, then in zip(cpu_seconds(running.server.pid), before))
    return {"sample": {"user_us": user * 1e6 / requests, "cpu_us": (user + system) * 1e6 / requests,
                       "requests_per_second": per_second}}


def latency(subject, seconds):
    """At half of what wrk got from it just now, sent at even distances."""
    with Running(subject, LOADS["single"]) as running:
        _, per_second = load(running.port, [], 1)
        rate = min(RATE_MAX, max(1, round(per_second / 2)))
        said = client([handlers.RATE, str(running.port), str(CONNECTIONS), str(rate), str(seconds)], {}, seconds)
    return {"sample": {"rate": rate, **json.loads(said)}}


def plan(subjects, seconds):
    def turned(found, number):
        turn = number % len(found) if found else 0
        return found[turn:] + found[:turn]

    def of_round(number):
        for name in LOADS:
            for subject in turned([one for one in subjects if name in one.loads], number):
                yield ((name, subject.name), f"{name:10} {subject.label}",
                       lambda s=subject, n=name: sample(s, n, seconds))
        for subject in turned([one for one in subjects if "single" in one.loads], number):
            yield ("latency", subject.name), f"{'latency':10} {subject.label}", lambda s=subject: latency(s, seconds)
    return of_round


def median(samples, what):
    return statistics.median(one[what] for one in samples)


def summarize(journal, subjects, rounds):
    """By load and subject: the medians of all rounds, or why there are none."""
    found = {}
    for (name, subject, _), line in journal.seen.items():
        found.setdefault(name, {}).setdefault(subject, []).append(line)
    loads = {}
    for name, rows in found.items():
        for subject, lines in rows.items():
            samples = [line["sample"] for line in lines if "sample" in line]
            failed = [line["failed"] for line in lines if "failed" in line]
            loads.setdefault(name, {})[subject] = {"failed": failed[0]} if failed else {
                what: median(samples, what) for what in samples[0]}
    return {**journal.facts, "rounds": rounds, "loads": loads,
            "subjects": [{"name": one.name, "label": one.label, "does": one.does, "missing": one.missing}
                         for one in subjects]}


def main():
    stored = os.path.join(engines.ROOT, "docs/performance/http.json")
    options = measure.read_options("bench/run http", "Measures what a request costs servers.", FOLDER,
                                   "docs/performance/http.json")
    if options.render:
        with open(stored) as file:
            tables.write(json.load(file), engines.ROOT)
        return
    if not os.path.exists(os.path.join(WRK, "wrk")):
        sys.exit("bench: no wrk (bench/install)")
    os.makedirs(FOLDER, exist_ok=True)
    subjects = handlers.subjects(FOLDER)
    for subject in subjects:
        if subject.missing:
            print(f"bench: {subject.label} is skipped: {subject.missing}", file=sys.stderr)
    present = [subject for subject in subjects if not subject.missing]
    identity = [options.quick]
    for subject in present:
        for path in subject.files:
            with open(path, "rb") as file:
                identity.append(hashlib.sha256(file.read()).hexdigest())
    journal = measure.Journal(os.path.join(FOLDER, "quick.jsonl" if options.quick else "samples.jsonl"), identity,
                              options.fresh)
    if journal.facts is None:
        journal.begin(measure.facts([], ["http", *sys.argv[1:]]))
    measure.measure(plan(present, 1 if options.quick else 4), journal, options.rounds)
    results = summarize(journal, subjects, options.rounds)
    if options.quick:
        print("bench: of a quick run these say only that all works:", file=sys.stderr)
    else:
        with open(stored, "w") as file:
            json.dump(results, file, indent=1)
            file.write("\n")
        tables.write(results, engines.ROOT)
    print("\n".join(tables.text(results)))


if __name__ == "__main__":
    main()
