"""Measures a cluster of processes on this machine beside the embedded run: throughput, overhead, merging, recovery, scale, the model.

Usage: bench/cluster (which builds coterie and the Go benchmarks). Data is made by the workers themselves, so no disk takes
part. What is compared takes turns; a figure is the median over the turns, and a ratio the median of the ratios of turns.
A turn begins once the machine is quiet, and is taken again if other processes took more than a twentieth of the
processors in it; what they took at most in the turns that count stands in the table.
"""

import argparse
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

from report import head, processor, row
from turns import CORES, TICKS, Others, Turns

READY = re.compile(r"ready rpc=(\S+) gossip=(\S+) http=(\S+)")
WAIT = 300  # seconds that one fit may take
OTHERS = 0.05  # the share of the processors that others may take in a turn


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

    def seconds(self):
        """The processor time that it has used."""
        with open(f"/proc/{self.popen.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def transferred(self):
        """The bytes that it has read and written, sockets included."""
        with open(f"/proc/{self.popen.pid}/io") as f:
            counts = dict(line.split(": ") for line in f)
        return int(counts["rchar"]), int(counts["wchar"])


class Cluster:
    """A coordinator and workers of one thread each, on loopback."""

    def __init__(self, bench, workers):
        self.bench, self.folder, self.workers = bench, tempfile.TemporaryDirectory(), []
        listen = ["--listen", "127.0.0.1:0", "--gossip", "127.0.0.1:0", "--http", "127.0.0.1:0"]
        self.coordinator = Process(bench.binary, "coordinator", "--state", os.path.join(self.folder.name, "state"), *listen)
        for _ in range(workers):
            self.start_worker()

    def start_worker(self):
        self.workers.append(Process(self.bench.binary, "worker", "--join", self.coordinator.gossip, "--threads", "1"))

    def ready(self):
        """How many workers can be asked."""
        out = subprocess.run([self.bench.binary, "status", "--cluster", self.coordinator.rpc, "--json"], check=True, capture_output=True, text=True).stdout
        return sum(worker["state"] == "ready" for worker in json.loads(out)["workers"])

    def settle(self):
        while self.ready() < len(self.workers):
            time.sleep(0.1)

    def flags(self, least=0):
        return ["--cluster", self.coordinator.rpc, "--min-workers", str(least or len(self.workers))]

    def processes(self):
        return [self.coordinator, *self.workers]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes():
            process.kill()
        self.folder.cleanup()


class Bench:
    def __init__(self, options):
        self.options, self.binary = options, options.coterie
        self.model = os.path.join(options.data, "cluster-model.json")
        self.turns = Turns(options.repeat, options.patience, OTHERS)

    def command(self, data, *flags):
        return [self.binary, "fit", data, "-o", self.model, "--tol", "0", "--scale", "none", "--init", "random", "--json", *map(str, flags)]

    def fit(self, data, *flags):
        out = subprocess.run([*self.command(data, *flags), "--quiet"], check=True, capture_output=True, text=True, timeout=WAIT).stdout
        return json.loads(out)


def passes(doc):
    return doc["iterations"] + 1  # the last pass gives the inertia


def each(doc):
    """Seconds for each pass."""
    return doc["seconds"]["iterate"] / passes(doc)


def span(values, form):
    return f"{form.format(min(values))} to {form.format(max(values))}"


NARROW = "synth://blobs?rows=10000000&d=8&centers=16&seed=3"
WIDE = "synth://blobs?rows=1000000&d=100&centers=1000&seed=3"


def throughput(bench):
    """Two workers of one thread each against one process with two."""
    head("time per pass, 2 × 1 thread", "embedded", "cluster", "throughput", "of single turns", "more", "goal", "others")
    with Cluster(bench, 2) as cluster:
        for name, data, k, iterations in [("10M × 8, k = 8", NARROW, 8, 40), ("1M × 100, k = 500", WIDE, 500, 12)]:
            common = ["-k", k, "--max-iter", iterations, "--seed", 5]

            def once():
                a, b = bench.fit(data, *common, "--threads", 2), bench.fit(data, *common, *cluster.flags())
                if a["digest"] != b["digest"] or a["inertia"] != b["inertia"]:
                    raise SystemExit(f"{data}: the cluster's result is not the embedded run's")
                return each(a), each(b)

            turns, others = bench.turns.take(once, cluster.processes())
            ratios = [a / b for a, b in turns]
            row(name, *(f"{statistics.median(side) * 1e3:.1f} ms" for side in zip(*turns)), f"{statistics.median(ratios):.3f}", span(ratios, "{:.3f}"),
                f"{statistics.median(b - a for a, b in turns) * 1e3:+.1f} ms", "0.93, or at most +2 ms", others)
    print()


def overhead(bench):
    """Passes over next to no rows, hundreds of them."""
    head("time per pass", "passes", "embedded", "cluster", "goal", "others")
    small, three = "synth://uniform?rows=1000&d=4&seed=9", "synth://uniform?rows=50000&d=4&seed=9"
    for name, data, k, workers in [("1,000 × 4, k = 3, one worker", small, 3, 1), ("1,000 × 4, k = 3, three workers, one partition", small, 3, 3),
                                   ("1,000 × 4, k = 40, one worker", small, 40, 1), ("50,000 × 4, k = 3, three workers, a partition each", three, 3, 3)]:
        with Cluster(bench, workers) as cluster:

            def once():
                spent, count = [0.0, 0.0], 0
                for seed in range(15):
                    common = ["-k", k, "--seed", seed]
                    docs = [bench.fit(data, *common, "--workers", workers, "--threads", max(workers, 2)), bench.fit(data, *common, *cluster.flags())]
                    spent = [s + d["seconds"]["iterate"] for s, d in zip(spent, docs)]
                    count += passes(docs[0])
                return count, spent[0] / count, spent[1] / count

            turns, others = bench.turns.take(once, cluster.processes())
            count, embedded, clustered = map(statistics.median, zip(*turns))
            row(name, int(count), f"{embedded * 1e3:.3f} ms", f"{clustered * 1e3:.3f} ms", "under 2 ms", others)
    print()


def benchmarks(bench, pattern):
    """The metrics of Go benchmarks, by name."""
    out = subprocess.run([bench.options.merging, "-test.run", "^$", "-test.bench", pattern], check=True, capture_output=True, text=True, timeout=WAIT).stdout
    found = {}
    for line in out.splitlines():
        if line.startswith("Benchmark"):
            name, _, *rest = line.split()
            found[re.sub(r"-\d+$", "", name)] = {unit: float(value) for value, unit in zip(rest[::2], rest[1::2])}
    return found


def merge(bench):
    """A coordinator's merging of 256 answers of k = 1000, d = 100, and its memory."""
    turns, others = bench.turns.take(lambda: benchmarks(bench, "^BenchmarkMergeOf256$"))
    merged, read = ([turn[f"BenchmarkMergeOf256/{what}"]["MB/s"] for turn in turns] for what in ("merge", "read"))
    ratios = [m / r for m, r in zip(merged, read)]
    head("256 answers, k = 1000, d = 100, one core", "decode, book, merge", "plain read of them", "share", "of single turns", "goal", "others")
    row("encoded bytes", f"{statistics.median(merged) / 1e3:.2f} GB/s", f"{statistics.median(read) / 1e3:.2f} GB/s", f"{statistics.median(ratios):.2f}", span(ratios, "{:.2f}"),
        "0.33", others)
    print()
    turns, others = bench.turns.take(lambda: benchmarks(bench, "^BenchmarkAnswers$"))
    head("workers that answer at one moment, over gRPC", "answers", "time per answer", "most heap of the coordinator", "others")
    for workers in (64, 128, 256):
        of = [turn[f"BenchmarkAnswers/workers={workers}"] for turn in turns]
        rate, took, peak = (statistics.median(o[unit] for o in of) for unit in ("MB/s", "µs/answer", "peak-MiB"))
        row(workers, f"{rate:.0f} MB/s", f"{took / 1e3:.2f} ms", f"{peak:.0f} MiB", others)
    print()


def recovery(bench):
    """One of four workers is killed in the middle of the iterations."""
    data, k, limit, workers = "synth://uniform?rows=10000000&d=8&seed=3", 32, 100, 4
    head("10M × 8, k = 32, 4 workers", "killed at pass", "undisturbed", "killed", "more", "its share + 4 s", "others")
    turn = 0
    while turn < bench.options.repeat:
        with Cluster(bench, workers) as cluster:
            cluster.settle()
            bench.turns.quiet()
            others = Others(cluster.processes())
            common = ["-k", k, "--max-iter", limit, "--seed", 5, *cluster.flags(least=workers - 1)]
            calm = bench.fit(data, *common)
            at = random.Random(turn).randrange(limit // 4, limit * 3 // 4)
            doc = killed(bench, cluster, at, data, *common)
            share = others.share()
        if doc["digest"] != calm["digest"] or doc["inertia"] != calm["inertia"]:
            raise SystemExit("the result of a run with a loss is another")
        total = [d["seconds"]["total"] for d in (calm, doc)]
        # Rows are read once for the statistics and once to be loaded; a worker that is lost has a fourth of them.
        owed = calm["seconds"]["read"] / 2 / workers + calm["seconds"]["iterate"] * (1 - at / passes(calm)) / workers
        row(f"turn {turn + 1}", f"{at} of {limit}", *(f"{t:.2f} s" for t in total), f"{total[1] - total[0]:+.2f} s", f"{owed:.2f} + 4 s", f"{share:.0%}")
        turn += 1
    print()


def killed(bench, cluster, at, *arguments):
    """A fit in which a worker is killed once so many iterations are over."""
    command = bench.command(*arguments)
    with subprocess.Popen([*command, "--progress", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as fit:
        victim = None
        for line in fit.stderr:
            if not line.startswith("{"):
                raise SystemExit(line)
            event = json.loads(line)
            if victim is None and event.get("event") == "iteration" and event["iteration"] >= at:
                victim = cluster.workers[at % len(cluster.workers)]
                victim.popen.kill()
        out = fit.stdout.read()
    if fit.returncode != 0 or victim is None:
        raise SystemExit(f"the fit ended with {fit.returncode}, a worker was killed: {victim is not None}")
    return json.loads(out)


def scale(bench):
    """What limits the number of workers: bytes and time of the reduction against the work."""
    n, d, k = 1_000_000, 100, 500
    merging, others = bench.turns.take(lambda: benchmarks(bench, "^(BenchmarkAnswers|BenchmarkLoopback)$"))
    answer = statistics.median(turn["BenchmarkAnswers/workers=256"]["µs/answer"] for turn in merging) / 1e6
    loopback = statistics.median(turn["BenchmarkLoopback"]["MB/s"] for turn in merging) * 1e6
    head(f"1M × 100, k = {k}", "time per pass", "answers per pass", "tasks per pass", "flop/s of a worker", "others")
    spent, sent = {}, {}
    for workers in (1, 2, 4):
        with Cluster(bench, workers) as cluster:

            def once():
                seconds, received, answered = [], [], []
                for iterations in (4, 10):
                    before = [w.transferred() for w in cluster.workers]
                    seconds.append(bench.fit(WIDE, "-k", k, "--max-iter", iterations, "--seed", 5, *cluster.flags())["seconds"]["iterate"])
                    moved = [(b[0] - a[0], b[1] - a[1]) for a, b in zip(before, (w.transferred() for w in cluster.workers))]
                    received.append(sum(m[0] for m in moved))
                    answered.append(sum(m[1] for m in moved))
                return [(x[1] - x[0]) / 6 for x in (seconds, answered, received)]

            turns, noise = bench.turns.take(once, cluster.processes())
            took, up, down = map(statistics.median, zip(*turns))
            spent[workers], sent[workers] = took, up / workers
            rate = 2 * n * k * d / took / min(workers, CORES)
            row(f"{workers} worker" + "s" * (workers > 1) + (f" on {CORES} cores" if workers > CORES else ""), f"{took * 1e3:.0f} ms",
                f"{workers} × {up / workers / 1e3:.0f} kB", f"{workers} × {down / workers / 1e3:.0f} kB", f"{rate / 1e9:.0f} G" + " a core" * (workers > CORES), noise)
    print()
    cost = answer * sent[2] / (8 * 1000 + 7 * 1000 * 100)  # those of BenchmarkAnswers have k = 1000, d = 100 and 7 bytes a sum
    rate = 2 * n * k * d / spent[1]
    head("W*, where the reduction takes as long as the work", "from", "workers", "others")
    row("measured, √(T/c)", f"T = {spent[1] * 1e3:.0f} ms, a pass of one worker; c = {cost * 1e3:.3f} ms, an answer of {sent[2] / 1e3:.0f} kB", f"{(spent[1] / cost) ** 0.5:.0f}", others)
    row("model, √(nB/8R)", f"B = {loopback / 1e9:.1f} GB/s, plain loopback; R = {rate / 1e9:.0f} Gflop/s, one worker", f"{(n * loopback / 8 / rate) ** 0.5:.0f}", others)
    print()
    counts = (1, 2, 4, 16, 64, 256)
    head("W, each with cores of its own", *counts)
    row("t(W) = T/W + W·c", *(f"{(spent[1] / w + w * cost) * 1e3:.0f} ms" for w in counts))
    row("efficiency, T/(W·t)", *(f"{spent[1] / w / (spent[1] / w + w * cost):.0%}" for w in counts))
    print()


def model(bench):
    """What `coterie loadtest --what-if` predicts from one worker, against clusters that are there."""

    def load(cluster, *flags):
        command = [bench.binary, "loadtest", "--rows", "4M", "-d", "32", "-k", "50", "--cluster", cluster.coordinator.rpc, "--json", "--quiet", *flags]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=WAIT).stdout)

    head("4M × 32, k = 50, workers of one thread", "cores", "predicted", "measured", "off", "of single turns", "others")
    with Cluster(bench, 1) as one:
        one.settle()
        for workers in (1, 2, 3, 4, 6, 8):
            with Cluster(bench, workers) as cluster:
                cluster.settle()
                cores = min(workers, CORES)

                def once():
                    said = load(one, "--what-if", f"workers={workers},cores={cores}")["what_if"]["pass_seconds"]
                    return said, load(cluster)["pass"]["median_seconds"]

                turns, others = bench.turns.take(once, one.processes() + cluster.processes())
                off = [said / took - 1 for said, took in turns]
                row(f"{workers} worker" + "s" * (workers > 1), cores, *(f"{statistics.median(side) * 1e3:.1f} ms" for side in zip(*turns)),
                    f"{statistics.median(off):+.0%}", span(off, "{:+.0%}"), others)
    print()


PARTS = {f.__name__: f for f in (throughput, overhead, merge, recovery, scale, model)}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--coterie", required=True)
    p.add_argument("--merging", required=True, help="the test binary of the coordinator")
    p.add_argument("--data", required=True)
    p.add_argument("--repeat", type=int, default=5)
    p.add_argument("--patience", type=float, default=60, help="seconds to wait, in each part, for others to be done")
    p.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    o = p.parse_args()
    if unknown := set(o.parts) - set(PARTS):
        p.error(f"{', '.join(sorted(unknown))}: not one of {', '.join(PARTS)}")
    os.makedirs(o.data, exist_ok=True)
    version = json.loads(subprocess.run([o.coterie, "version", "--json"], check=True, capture_output=True, text=True).stdout)
    print(f"{processor()}, {CORES} cores, Linux {platform.release()}, kernel {version['kernel']}; coterie {version['version']} ({version['go']})\n", flush=True)
    for name in o.parts or PARTS:
        PARTS[name](Bench(o))


if __name__ == "__main__":
    sys.exit(main())
