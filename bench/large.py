"""What takes long: the published record's shape, growth with the number of rows, and data that converges slowly."""

import dataclasses
from statistics import median

from programs import Failed, differs, each, step
from report import atmost, head, nanoseconds, ratio, row
from shapes import BIG, CUSTOMERS, GROWTH, SLOW, rows

RECORD = 508  # core-seconds of oneDAL at BIG, by its own account (scikit-learn-intelex, issue 1444)


def big(bench):
    """The shape of oneDAL's record. A fit takes long enough to be its own median."""
    regime = bench.sized(BIG)
    bench.table(regime)
    turns, note = bench.turns.take(lambda: bench.ours(regime, "auto"), repeat=1)
    doc = turns[0]
    cores = doc["seconds"]["iterate"] * bench.threads
    head(f"{regime}, {regime.iterations} iterations", "iterations", "seconds of the fit", "core-seconds", "oneDAL's record", "ratio", "others took")
    row("coterie", doc["iterations"], f"{doc['seconds']['iterate']:.1f}", atmost(cores, 150, "{:.0f}"), RECORD, f"{RECORD / cores:.1f}×", note)
    print()


def growth(bench):
    """The same groups in more and more rows, from the same start; as many as fit into half of the memory."""
    with open("/proc/meminfo") as f:
        available = int(next(line for line in f if line.startswith("MemAvailable")).split()[1]) * 1024
    shapes = [bench.sized(dataclasses.replace(CUSTOMERS, n=n)) for n in GROWTH if n * (4 * CUSTOMERS.d + 24) < available / 2]
    _, start = bench.table(shapes[0])

    def once():
        flags = ["--init", start, "--max-iter", CUSTOMERS.iterations, "--algorithm"]
        return [[bench.fit(bench.table(shape)[0], shape.k, *flags, name) for name in ("lloyd", "auto")] for shape in shapes]

    for shape in shapes:
        bench.table(shape)
    turns, note = bench.turns.take(once)
    least = f"by that of {rows(shapes[0].n)}"
    head(f"growth, {CUSTOMERS.d} columns, k = {CUSTOMERS.k}", "full pass, a row", least, "iteration of auto, a row", least, "reading, a row", "others took")
    for i, shape in enumerate(shapes):
        cells = []
        for j, cost in ((0, each), (1, step)):
            first = median(cost(turn[i][j]) / shape.n / (cost(turn[0][j]) / shapes[0].n) for turn in turns)
            cells += [nanoseconds(median(cost(turn[i][j]) for turn in turns), shape.n), atmost(first, 1.1) if i else "1"]
        row(rows(shape.n), *cells, nanoseconds(median(turn[i][0]["seconds"]["read"] for turn in turns), shape.n), note)
    print()


def slow(bench):
    """Customers whose groups overlap and who spend lognormally (data.customers)."""
    regime = bench.sized(SLOW)
    bench.table(regime)

    def once():
        lloyd = bench.ours(regime, "lloyd")
        try:
            peer = bench.peer("scikit-learn", regime)
        except Failed as failure:
            peer = failure
        return lloyd, peer, bench.ours(regime, "auto")

    turns, note = bench.turns.take(once)
    if any(lloyd["digest"] != auto["digest"] for lloyd, _, auto in turns):
        raise SystemExit(f"{regime}: auto's digest is not lloyd's")
    head(f"slow to converge, {regime}", "iterations", "seconds", "auto's ratio", "others took")
    for name, side in (("auto", 2), ("lloyd", 0)):
        pairs = [(turn[2]["seconds"]["iterate"], turn[side]["seconds"]["iterate"]) for turn in turns]
        row(f"coterie, {name}", turns[0][side]["iterations"], f"{median(t for _, t in pairs):.2f}", ratio(pairs), note)
    if failure := next((turn[1] for turn in turns if isinstance(turn[1], Failed)), None):
        row("scikit-learn", "–", f"failed: {failure}", "–", note)
    else:
        off = differs(turns[0][2], turns[0][1])
        seconds = f"{median(turn[1]['seconds'] for turn in turns):.2f}" + (f" ≠ {off:+.2%} inertia" if off else "")
        row("scikit-learn", turns[0][1]["iterations"], seconds, ratio([(step(turn[2]), step(turn[1])) for turn in turns]), note)
    print()
