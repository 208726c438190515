"""From file to file, the way an analyst does it; and small tables, where starting up is all there is."""

import json
import os
import re
import sys
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

import data
from programs import HERE, Failed, differs, run
from report import atmost, head, ratio, row
from shapes import CUSTOMERS, rows


def timed(command):
    """Seconds, peak memory, processor seconds and output of a process."""
    return json.loads(run([sys.executable, "-S", os.path.join(HERE, "timer.py"), *command]))


def files(bench):
    """Read, standardise, fit from one start or ten, write the labels; tolerances and limits as both have them by default."""
    regime = bench.sized(CUSTOMERS)
    path, start = bench.table(regime)
    labels = os.path.join(bench.data, "labels.parquet")
    head(f"from file to labels, {rows(regime.n)} × {regime.d}, standardised, k = {regime.k}",
         "coterie", "iterations", "pandas, scikit-learn", "iterations", "ratio", "peak memory", "others took")
    bound = regime.n * (4 * regime.d + 24) + (256 << 20)
    for kind, runs, goal in (("parquet", 1, 8), ("parquet", 10, 20), ("csv", 1, 10)):
        source = converted(path, kind)
        ours = [bench.coterie, "fit", source, "-k", regime.k, "--threads", bench.threads, "-o", bench.model, "--labels", labels, "--json", "--quiet"]
        ours += ["--init", start] if runs == 1 else ["--runs", runs]
        theirs = {"data": source, "labels": os.path.join(bench.data, "analyst.parquet"), "k": regime.k, **({"start": start} if runs == 1 else {"runs": runs})}
        name = f"{kind.upper() if kind == 'csv' else 'Parquet'}, " + ("one start" if runs == 1 else f"{runs} starts")

        def once():
            a = timed(ours)
            b = json.loads(run([sys.executable, os.path.join(HERE, "analyst.py"), json.dumps(theirs)], OMP_NUM_THREADS=str(bench.threads)))
            return a, json.loads(a["out"]), b

        try:
            turns, note = bench.turns.take(once)
        except Failed as failure:
            row(name, "–", "–", f"failed: {failure}", "–", "–", "–", "–")
            continue
        process, doc, peer = zip(*turns)
        off = differs(doc[0], peer[0]) if runs == 1 else None
        row(name, f"{median(p['seconds'] for p in process):.2f} s", doc[0]["iterations"],
            f"{median(p['seconds'] for p in peer):.2f} s" + (f" ≠ {off:+.2%} inertia" if off else ""), peer[0]["iterations"], ratio([(a["seconds"], b["seconds"]) for a, b in zip(process, peer)], goal),
            f"{max(p['peak'] for p in process) >> 20} MiB" + (f" (at most {bound >> 20})" if kind == "parquet" and runs == 1 else ""), note)
    print()


def converted(path, kind):
    """The same table as Parquet or CSV, a million rows at a time."""
    target = path.removesuffix(".npy") + "." + kind
    if not os.path.exists(target):
        x = np.load(path, mmap_mode="r")
        schema = pa.schema([(f"x{i}", pa.float32()) for i in range(x.shape[1])])
        writer = pa.csv.CSVWriter(target + ".part", schema) if kind == "csv" else pq.ParquetWriter(target + ".part", schema, compression="snappy")
        with writer:
            for part in data.chunks(x):
                writer.write_table(pa.table([np.ascontiguousarray(column) for column in part.T], schema=schema))
        os.replace(target + ".part", target)
    return target


def small(bench):
    """Whole processes on a small table, and the readers by themselves on one core."""
    path = os.path.join(bench.data, "small.csv")
    np.savetxt(path, np.exp(np.random.default_rng(data.SEED).normal(size=(4338, 3))), delimiter=",", header="a,b,c", comments="", fmt="%.6g")
    head("small and by itself", "figure", "bound")
    for name, bound, command in (("4,338 × 3, k = 5, CSV to model", 50, ["fit", path, "-k", 5, "-o", bench.model, "--quiet"]), ("`coterie version`", 15, ["version"])):
        turns, _ = bench.turns.take(lambda: timed([bench.coterie, *command])["seconds"], repeat=11)
        row(f"{name}, whole process", f"{median(turns) * 1e3:.0f} ms", atmost(median(turns) * 1e3, bound, "{:.0f}"))
    out = run(["go", "test", "-run", "^$", "-bench", "BenchmarkRead$|BenchmarkParse/plain/columns=8/threads=1$", "-count", 3, "-cpu", 1, "./dataset/parquet", "./dataset/csv"])
    for name, benchmark, least in (("Parquet read, float32, one core", "BenchmarkRead", 700), ("CSV read, plain numbers, one core", "BenchmarkParse", 150)):
        found = [float(speed) for speed in re.findall(rf"^{benchmark}.*\s([\d.]+) MB/s", out, re.MULTILINE)]
        if not found:
            raise Failed(f"{benchmark} says nothing")
        row(name, f"{max(found):,.0f} MB/s", f"at least {least} MB/s{'' if max(found) >= least else ', missed'}")
    print()
