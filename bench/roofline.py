"""How near a pass comes to what the machine can do at most: the larger of k(d+3)/16 vector operations and 4d+1 bytes a row."""

FLOP = 32  # of a vector operation: a multiply-add on 16 lanes


class Roofline:
    """The larger counts of the probes around a measurement, since a shared machine gives less at times."""

    def __init__(self, bench):
        self.bench, self.peak = bench, {}
        self.probe()

    def probe(self):
        for threads, now in self.bench.roofline().items():
            self.peak[threads] = tuple(map(max, now, self.peak.get(threads, (0, 0))))

    def bound(self, regime, threads, argmin=3):
        """The least seconds of a pass, and what sets them; argmin is the operations beside the multiply-adds of a distance."""
        if threads not in self.peak:
            raise SystemExit(f"coterie bench roofline measures {sorted(self.peak)} threads, not {threads}")
        gflops, gbytes = self.peak[threads]
        arithmetic = regime.n * regime.k * (regime.d + argmin) / 16 * FLOP / (gflops * 1e9)
        memory = regime.n * (4 * regime.d + 1) / (gbytes * 1e9)
        return max((arithmetic, "arithmetic"), (memory, "bandwidth"))

    def fraction(self, regime, seconds, threads):
        """The share of the bound that a pass reaches, and what sets the bound.

        Processors with ports of their own for comparisons can exceed k(d+3)/16, since the argmin runs beside the multiply-adds. Nothing
        can exceed the multiply-adds alone, or the bytes: more than all of that means that the probe is wrong, or that a trial with few rows
        ran in the cache: kept, and the run fails at its end (main.py).
        """
        bound, by = self.bound(regime, threads)
        least, least_by = self.bound(regime, threads, argmin=0)
        if least > seconds and not self.bench.quick:
            self.bench.beyond.append(f"{regime}, {threads} threads: {least / seconds:.1%} of the roofline, {least:.4g} s by {least_by}")
        return bound / seconds, by
