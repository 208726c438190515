"""Measures a cluster of processes on this machine beside the embedded run: throughput, overhead, recovery, scale.

Usage: bench/cluster (which builds coterie and runs the Go benchmarks of the merge). Data is made by the workers
themselves, so no disk takes part. Whatever is compared takes turns; figures are medians over the turns, and the spread
of the turns stands beside a ratio, since neighbours on a shared machine are part of what is measured.
"""

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

READY = re.compile(r"ready rpc=(\S+) gossip=(\S+) http=(\S+)")
WAIT = 600  # seconds that one fit may take


class Process:
    """A coordinator or a worker, started once it has said where it is."""

    def __init__(self, *command):
        self.popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.popen.stdout.readline()
        found = READY.match(line)
        if not found:
            self.kill()
            raise SystemExit(f"{command} is not ready: {line!r}")
        self.rpc, self.gossip, self.http = found.groups()

    def kill(self):
        self.popen.kill()
        self.popen.wait()
        self.popen.stdout.close()


class Cluster:
    """A coordinator and workers of one thread each, on loopback."""

    def __init__(self, binary, workers):
        self.binary, self.folder, self.workers = binary, tempfile.TemporaryDirectory(), []
        listen = ["--listen", "127.0.0.1:0", "--gossip", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        self.coordinator = Process(binary, "coordinator", "--state", os.path.join(self.folder.name, "state"), *listen)
        for _ in range(workers):
            self.start_worker()

    def start_worker(self):
        self.workers.append(Process(self.binary, "worker", "--join", self.coordinator.gossip, "--threads", "1", "--http", "127.0.0.1:0"))

    def flags(self):
        return ["--cluster", self.coordinator.rpc, "--min-workers", str(len(self.workers))]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in [*self.workers, self.coordinator]:
            process.kill()
        self.folder.cleanup()


class Bench:
    def __init__(self, options):
        self.options, self.binary = options, options.coterie
        self.model = os.path.join(options.data, "cluster-model.json")

    def fit(self, data, *flags):
        command = [self.binary, "fit", data, "-o", self.model, "--tol", "0", "--scale", "none", "--init", "random", "--json", "--quiet", *flags]
        out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=WAIT).stdout
        return json.loads(out)


def span(values, form):
    return f"{form.format(min(values))} to {form.format(max(values))}"


def passes(doc):
    return doc["iterations"] + 1  # the last pass gives the inertia


def turns(bench, cluster, shape, repeat):
    """Fits in turn on the cluster and embedded; the seconds per pass of both."""
    data, k, iterations = shape
    common = ["-k", str(k), "--max-iter", str(iterations), "--seed", "5"]
    ours, theirs = [], []
    for _ in range(repeat):
        a = bench.fit(data, *common, "--threads", str(len(cluster.workers)))
        b = bench.fit(data, *common, *cluster.flags())
        if a["digest"] != b["digest"] or a["inertia"] != b["inertia"]:
            raise SystemExit(f"{data}: the cluster's result is not the embedded run's")
        theirs.append(a["seconds"]["iterate"] / passes(a))
        ours.append(b["seconds"]["iterate"] / passes(b))
    return ours, theirs


SHAPES = [("10M × 8, k = 8", 10_000_000, ("synth://blobs?rows=10000000&d=8&centers=16&seed=3", 8, 40)),
          ("1M × 100, k = 500", 1_000_000, ("synth://blobs?rows=1000000&d=100&centers=1000&seed=3", 500, 12))]


def throughput(bench):
    print("| two workers of one thread against embedded with two | embedded | cluster | ratio | turns | more per pass | goal |")
    print("|---|---|---|---|---|---|---|")
    with Cluster(bench.binary, 2) as cluster:
        for name, rows, shape in SHAPES:
            ours, theirs = turns(bench, cluster, shape, bench.options.repeat)
            ratios = [t / o for o, t in zip(ours, theirs)]
            more = statistics.median(o - t for o, t in zip(ours, theirs))
            print(f"| {name} | {statistics.median(theirs) * 1e3:.1f} ms | {statistics.median(ours) * 1e3:.1f} ms | {statistics.median(ratios):.3f} | "
                  f"{span(ratios, '{:.3f}')} | {more * 1e3:+.1f} ms | 0.93, or +2 ms |", flush=True)
    print()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--coterie", required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--repeat", type=int, default=5)
    p.add_argument("what", nargs="*", default=["throughput"])
    o = p.parse_args()
    os.makedirs(o.data, exist_ok=True)
    bench = Bench(o)
    for what in o.what:
        globals()[what](bench)


if __name__ == "__main__":
    main()
