"""The shapes that are measured, and what is asked for at each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Regime:
    name: str
    kind: str  # of data.KINDS
    n: int
    d: int
    k: int
    iterations: int
    fraction: float  # of the roofline that a full pass is to reach
    full: float  # times as fast as the best exact peer: a full pass
    whole: float  # and the whole fit

    def __str__(self):
        return f"{self.name}: {rows(self.n)} × {self.d}, k = {self.k}" + (", uniform" if self.kind == "uniform" else "")


REGIMES = [
    Regime("rfm4", "mixture", 10_000_000, 4, 8, 20, 0.50, 18, 30),
    Regime("low8", "mixture", 10_000_000, 8, 8, 20, 0.60, 15, 30),
    Regime("seg16", "mixture", 2_000_000, 16, 20, 20, 0.80, 8, 20),
    Regime("one14", "uniform", 5_000_000, 14, 127, 20, 0.85, 6.3, 14),
    Regime("mid50", "mixture", 200_000, 50, 200, 20, 0.82, 3.3, 8),
    Regime("mid100", "mixture", 200_000, 100, 500, 20, 0.90, 2.4, 5),
    Regime("big768", "mixture", 100_000, 768, 2000, 25, 0.93, 2.0, 3.5),
]
SLOW = Regime("customers", "customers", 2_000_000, 6, 12, 50, 0, 0, 0)
BIG = Regime("record", "uniform", 50_000_000, 14, 127, 100, 0, 0, 0)
CUSTOMERS = Regime("low8", "mixture", 10_000_000, 8, 8, 20, 0, 0, 0)  # from file to file, ten starts
GROWTH = [10_000_000, 20_000_000, 50_000_000, 100_000_000]  # rows of 8 columns

EMBEDDINGS = 50  # columns from which SuperKMeans takes part: it is made for many


def rows(n):
    return f"{n / 1e6:g}M" if n >= 1_000_000 else f"{n / 1e3:g}k"
