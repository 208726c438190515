"""What comes after a fit: a sweep over k against separate fits and scikit-learn, profiles, and two months against each other."""

import json
import os
import sys
from statistics import median

from files import converted, timed
from programs import HERE, Failed, run
from report import atmost, head, ratio, row
from shapes import CUSTOMERS, rows

KS = range(2, 16)


def decisions(bench):
    """Whole processes, from a Parquet file on."""
    regime = bench.sized(CUSTOMERS)
    source = converted(bench.table(regime)[0], "parquet")
    sweep(bench, source, regime)
    after(bench, source, regime)


def sweep(bench, source, regime):
    """All k at once with all scores; the same fits one by one; scikit-learn's inertias, which are all it makes."""
    common = ["--threads", bench.threads, "--json", "--quiet"]

    def once():
        together = timed([bench.coterie, "sweep", source, "-k", f"{KS[0]}..{KS[-1]}", *common])
        apart = [timed([bench.coterie, "fit", source, "-k", k, "-o", bench.model, *common]) for k in KS]
        try:
            peer = json.loads(run([sys.executable, os.path.join(HERE, "sweeper.py"), json.dumps({"data": source, "ks": [*KS]})], OMP_NUM_THREADS=str(bench.threads)))
        except Failed as failure:
            peer = failure
        return together["seconds"], sum(a["seconds"] for a in apart), peer

    turns, note = bench.turns.take(once, repeat=1)
    head(f"k = {KS[0]} to {KS[-1]}, {rows(regime.n)} × {regime.d}, standardised", "seconds", "coterie's sweep by this", "others took")
    row("coterie, sweep with all scores", f"{median(t[0] for t in turns):.1f}", "", note)
    row(f"coterie, {len(KS)} fits", f"{median(t[1] for t in turns):.1f}", atmost(median(t[0] / t[1] for t in turns), 0.7), note)
    if isinstance(turns[0][2], Failed):
        row("scikit-learn, inertias", f"failed: {turns[0][2]}", "–", note)
    else:
        row("scikit-learn, inertias", f"{median(t[2]['seconds'] for t in turns):.1f}", ratio([(t[0], t[2]["seconds"]) for t in turns], 20), note)
    print()


def after(bench, source, regime):
    """A profile of the segments, and who moved between two labellings."""
    labels = [os.path.join(bench.data, name) for name in ("labels-old.parquet", "labels-new.parquet")]
    for seed, path in enumerate(labels):
        run([bench.coterie, "fit", source, "-k", regime.k, "--seed", seed, "--labels", path, "-o", bench.model, "--quiet"])
    head(f"after a fit, {rows(regime.n)} × {regime.d}, k = {regime.k}", "seconds", "rows a second", "peak memory", "others took")
    for name, n, command in ((f"profile of {rows(regime.n)}, Parquet", regime.n, ["profile", "--model", bench.model, source, "-o", os.path.join(bench.data, "report.html")]),
                             (f"migrate, 2 × {rows(regime.n)} labels", 2 * regime.n, ["migrate", "--from", labels[0], "--to", labels[1]])):
        turns, note = bench.turns.take(lambda: timed([bench.coterie, *command, "--threads", bench.threads, "--quiet"]))
        seconds = median(t["seconds"] for t in turns)
        speed = n / seconds / 1e6
        row(name, f"{seconds:.2f}", f"{speed:.1f}M (at least 5M{'' if speed >= 5 else ', missed'})", f"{max(t['peak'] for t in turns) >> 20} MiB", note)
    print()
