"""Ten starts: runs that share their passes over memory, against ten fits and against scikit-learn's n_init."""

from statistics import median

from programs import Failed
from report import atmost, head, ratio, row
from shapes import CUSTOMERS

RUNS = 10


def runs(bench):
    """Random starts on all sides, so that seeding costs next to nothing, and the same number of iterations."""
    regime = bench.sized(CUSTOMERS)
    path, _ = bench.table(regime)
    flags = ["--init", "random", "--max-iter", regime.iterations]

    def once():
        together = bench.fit(path, regime.k, "--runs", RUNS, *flags)
        apart = [bench.fit(path, regime.k, "--seed", seed, *flags) for seed in range(RUNS)]
        try:
            peer = bench.peer("scikit-learn", regime, runs=RUNS)
        except Failed as failure:
            peer = failure
        return work(together), sum(map(work, apart)), peer

    turns, note = bench.turns.take(once)
    head(f"{RUNS} starts, {regime}, {regime.iterations} iterations", "seconds", "coterie's `--runs` by this", "others took")
    row(f"coterie, `--runs {RUNS}`", f"{median(t[0] for t in turns):.2f}", "", note)
    row(f"coterie, {RUNS} fits, reading apart", f"{median(t[1] for t in turns):.2f}", atmost(median(t[0] / t[1] for t in turns), 0.6), note)
    if failure := next((t[2] for t in turns if isinstance(t[2], Failed)), None):
        row(f"scikit-learn, n_init={RUNS}", f"failed: {failure}", "–", note)
    else:
        row(f"scikit-learn, n_init={RUNS}", f"{median(t[2]['seconds'] for t in turns):.2f}", ratio([(t[0], t[2]["seconds"]) for t in turns], 25), note)
    print()


def work(doc):
    return doc["seconds"]["seed"] + doc["seconds"]["iterate"]
