"""Compares coterie with scikit-learn on the same data, the same start and the same iterations, in one run.

Usage: bench/run (which makes the virtual environment and builds coterie). Rows are printed as a Markdown table; every
figure is the median over repetitions in which the two programs take turns.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import sklearn
from sklearn.cluster import KMeans

ITERATIONS = 20
PASSES = [("10M × 4, k = 8", 10_000_000, 4, 8, 5.0), ("10M × 8, k = 8", 10_000_000, 8, 8, 5.0),
          ("200k × 50, k = 200", 200_000, 50, 200, 2.0)]


def mixture(n, d, k):
    """A mixture of 2k centres from N(0, 2²) with unit noise, and k rows drawn without replacement as the start."""
    rng = np.random.default_rng(123)
    centres = rng.normal(0, 2, (2 * k, d)).astype(np.float32)
    x = rng.standard_normal((n, d), dtype=np.float32)
    x += centres[rng.integers(0, 2 * k, n)]
    return x, x[rng.choice(n, k, replace=False)]


def table(x, path):
    columns = {f"x{i}": pa.array(np.ascontiguousarray(x[:, i])) for i in range(x.shape[1])}
    pq.write_table(pa.table(columns), path, compression="snappy")


def coterie(binary, *args):
    begun = time.perf_counter()
    out = subprocess.run([binary, *map(str, args), "--json", "--quiet"], check=True, capture_output=True, text=True).stdout
    return time.perf_counter() - begun, json.loads(out)


def one_pass(o, name, n, d, k, goal):
    x, start = mixture(n, d, k)
    data, first = os.path.join(o.data, "x.npy"), os.path.join(o.data, "start.npy")
    np.save(data, x)
    np.save(first, start)
    ours, theirs = [], []
    for _ in range(o.repeat if n > 1_000_000 else 3 * o.repeat):
        model = os.path.join(o.data, "model.json")
        _, doc = coterie(o.coterie, "fit", data, "-k", k, "--scale", "none", "--init", first, "--max-iter", ITERATIONS, "--tol", 0,
                         "--algorithm", "lloyd", "--threads", o.threads, "-o", model)
        passes = doc["iterations"] + 1  # the last pass gives the inertia
        ours.append(doc["seconds"]["iterate"] / passes / n * 1e9)
        begun = time.perf_counter()
        fit = KMeans(k, init=start, n_init=1, max_iter=ITERATIONS, tol=0, algorithm="lloyd").fit(x)
        theirs.append((time.perf_counter() - begun) / (fit.n_iter_ + 1) / n * 1e9)
        close = abs(doc["inertia"] - fit.inertia_) <= 1e-3 * fit.inertia_
        if not close:
            print(f"{name}: inertia {doc['inertia']} and {fit.inertia_} differ", file=sys.stderr)
    a, b = statistics.median(ours), statistics.median(theirs)
    ratio = statistics.median(t / u for t, u in zip(theirs, ours))
    row(f"full pass, {name}", f"{a:.2f} ns/point", f"{b:.2f} ns/point", ratio, goal)


def file_to_file(o):
    n, d, k = 10_000_000, 8, 8
    x, start = mixture(n, d, k)
    data, first = os.path.join(o.data, "x.parquet"), os.path.join(o.data, "start.csv")
    table(x, data)
    np.savetxt(first, start, delimiter=",", header=",".join(f"x{i}" for i in range(d)), comments="", fmt="%.9g")
    del x
    script = os.path.join(o.data, "peer.py")
    with open(script, "w") as f:
        f.write(PEER)
    ours, theirs, memory = [], [], []
    for _ in range(o.repeat):
        labels, model = os.path.join(o.data, "labels.parquet"), os.path.join(o.data, "model.json")
        command = [o.coterie, "fit", data, "-k", str(k), "--init", first, "--threads", str(o.threads), "-o", model, "--labels", labels,
                   "--json", "--quiet"]
        seconds, peak = timed(command)
        ours.append(seconds)
        memory.append(peak)
        theirs.append(timed([sys.executable, script, data, first, os.path.join(o.data, "peer.parquet")])[0])
    ratio = statistics.median(t / u for t, u in zip(theirs, ours))
    row("Parquet to labels, 10M × 8, standardised, one start", f"{statistics.median(ours):.2f} s", f"{statistics.median(theirs):.2f} s", ratio, 4.0)
    bound = n * (4 * d + 24) + (256 << 20)
    print(f"| peak memory of the same, 10M × 8 | {max(memory) / 2**20:.0f} MiB | bound {bound / 2**20:.0f} MiB | | |")


PEER = '''
import sys
import numpy as np, pandas as pd, pyarrow as pa, pyarrow.parquet as pq
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler
x = pq.read_table(sys.argv[1]).to_pandas().to_numpy(dtype=np.float32)
scaler = StandardScaler().fit(x)
start = scaler.transform(np.loadtxt(sys.argv[2], delimiter=",", skiprows=1)).astype(np.float32)
fit = KMeans(len(start), init=start, n_init=1).fit(scaler.transform(x))
pq.write_table(pa.table({"id": np.arange(len(x)), "segment": fit.labels_}), sys.argv[3])
'''


# Runs a command and prints its seconds and its peak memory. It is a process of its own, since a child's peak memory
# counts from the memory of the process that it was forked from.
TIMER = """
import os, subprocess, sys, time
begun = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - begun, usage.ru_maxrss * 1024, status)
"""


def timed(command):
    out = subprocess.run([sys.executable, "-c", TIMER, *command], check=True, capture_output=True, text=True).stdout
    seconds, peak, status = out.split()[-3:]
    if status != "0":
        raise SystemExit(f"{command} failed")
    return float(seconds), int(peak)


def small(o):
    """A table of 4,338 × 3, from CSV to a model: the whole process."""
    rng = np.random.default_rng(123)
    x = np.exp(rng.normal(size=(4338, 3)))
    path = os.path.join(o.data, "small.csv")
    np.savetxt(path, x, delimiter=",", header="a,b,c", comments="", fmt="%.6g")
    fit = [timed([o.coterie, "fit", path, "-k", "5", "-o", os.path.join(o.data, "small.json"), "--quiet"])[0] for _ in range(11)]
    version = [timed([o.coterie, "version"])[0] for _ in range(11)]
    print(f"| 4,338 × 3, k = 5, CSV to model, whole process | {statistics.median(fit) * 1e3:.0f} ms | bound 50 ms | | |")
    print(f"| `coterie version` | {statistics.median(version) * 1e3:.0f} ms | bound 15 ms | | |")


def row(what, ours, theirs, ratio, goal):
    print(f"| {what} | {ours} | {theirs} | {ratio:.1f}× | {goal:g}× |", flush=True)


def processor():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--coterie", required=True)
    p.add_argument("--data", required=True)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--repeat", type=int, default=3)
    o = p.parse_args()
    os.makedirs(o.data, exist_ok=True)
    version = json.loads(subprocess.run([o.coterie, "version", "--json"], check=True, capture_output=True, text=True).stdout)
    print(f"{processor()}, {o.threads} threads, kernel {version['kernel']}; coterie {version['version']} ({version['go']}), "
          f"scikit-learn {sklearn.__version__}, NumPy {np.__version__}, Python {platform.python_version()}\n")
    print("| what | coterie | scikit-learn | ratio | goal |\n|---|---|---|---|---|")
    for shape in PASSES:
        one_pass(o, *shape)
    file_to_file(o)
    small(o)


main()
