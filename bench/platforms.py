"""Spark and H2O on this machine, if asked for with --spark and --h2o: whole fits at two shapes, since they take long."""

import json
import os
import sys
from statistics import median

from files import converted
from programs import AGREE, HERE, Failed, run, step
from report import head, nanoseconds, ratio, row
from shapes import REGIMES

SHAPES = ("low8", "one14")


def platforms(bench):
    """The same start and iterations for H2O; Spark draws its own rows, so its inertia is told and not held against ours."""
    head("whole fit", "peer", "coterie", "peer's", "an iteration and point", "ratio", "inertia, the peer's to ours", "others took")
    for regime in (bench.sized(regime) for regime in REGIMES if regime.name in SHAPES):
        path, start = bench.table(regime)
        source = os.path.abspath(converted(path, "parquet"))
        for name in bench.platforms:
            task = {"peer": name, "data": source, "start": os.path.abspath(start), "iterations": regime.iterations, "threads": bench.threads}

            def once():
                out = run([sys.executable, os.path.join(HERE, "jvm_peer.py"), json.dumps(task)])
                return json.loads(next(line for line in reversed(out.splitlines()) if line.startswith("{"))), bench.ours(regime, "auto")

            try:
                turns, noise = bench.turns.take(once, repeat=1)
            except Failed as failure:
                row(regime, name, "–", f"failed: {failure}", "–", "–", "–", "–")
                continue
            off = turns[0][0]["inertia"] / turns[0][1]["inertia"] - 1
            row(regime, name, f"{median(ours['seconds']['iterate'] for _, ours in turns):.2f} s", f"{median(peer['seconds'] for peer, _ in turns):.1f} s",
                nanoseconds(median(step(peer) for peer, _ in turns), regime.n), ratio([(step(ours), step(peer)) for peer, ours in turns]),
                f"{off:+.2%}" + (" ≠" if name == "h2o" and abs(off) > AGREE else ""), noise)
    print()
