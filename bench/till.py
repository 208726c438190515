"""From till lines to customers, in memory that holds a part of them."""

import json
import os
from statistics import median

from files import timed
from programs import run
from report import head, row
from shapes import rows

LINES, CUSTOMERS = 200_000_000, 12_200_000  # of whom 10M buy
MEMORY = 2 << 30


def till(bench):
    """Whole processes, Parquet to Parquet: lines a second of processor time, and peak memory; a trial has a tenth of both."""
    part = 10 if bench.quick else 1
    lines, memory = LINES // part, MEMORY // part
    source = os.path.join(bench.data, f"transactions-{lines}-{CUSTOMERS // part}.parquet")
    if not os.path.exists(source):
        run([bench.coterie, "synth", "transactions", "-n", lines, "--customers", CUSTOMERS // part, "-o", source, "--quiet"])
    target = os.path.join(bench.data, "customers-of-till.parquet")
    command = [bench.coterie, "rfm", source, "-o", target, "--memory", memory, "--spill", bench.data, "--threads", bench.threads, "--json", "--quiet"]
    turns, note = bench.turns.take(lambda: timed(command), repeat=1)
    os.remove(target)
    doc = json.loads(turns[0]["out"])
    speed = doc["rows_read"] / median(t["cpu"] for t in turns) / 1e6
    peak = max(t["peak"] for t in turns)
    head(f"coterie rfm, {rows(lines)} lines, --memory {memory >> 20} MiB", "customers", "seconds", "lines a second and core", "peak memory", "spilled", "others took")
    row("Parquet to Parquet", f"{doc['customers']:,}", f"{median(t['seconds'] for t in turns):.0f}", f"{speed:.1f}M (at least 2M{'' if speed >= 2 else ', missed'})",
        f"{peak >> 20} MiB (at most {memory >> 20}{'' if peak <= memory else ', missed'})", f"{doc.get('spilled_bytes', 0) >> 20} MiB", note)
    print()
