"""Makes the data of the benchmark and keeps it in the data folder, each table in bounded memory.

A table is float32 from NumPy's default_rng(123), its start k of its rows drawn without replacement, by the same generator.
Rows are made a chunk at a time, which draws the same numbers as all at once would.
"""

import os

import numpy as np

SEED = 123
CHUNK = 1 << 20  # rows in memory at a time


def table(folder, kind, n, d, k):
    """The paths of a table and its start, which are made if they are not there."""
    stem = os.path.join(folder, f"{kind}-{n}x{d}-k{k}")
    data, start = f"{stem}.npy", f"{stem}-start.npy"
    if not (os.path.exists(data) and os.path.exists(start)):
        rng = np.random.default_rng(SEED)
        part = f"{data}.part"
        x = np.lib.format.open_memmap(part, mode="w+", dtype=np.float32, shape=(n, d))
        KINDS[kind](rng, x, k)
        np.save(start, x[rng.choice(n, k, replace=False)])
        x.flush()
        del x
        os.replace(part, data)
    return data, start


def chunks(x):
    """Views of a table's rows, in order."""
    return (x[i : i + CHUNK] for i in range(0, len(x), CHUNK))


def mixture(rng, x, k):
    """2k centres from N(0, 2²), unit noise."""
    centres = rng.normal(0, 2, (2 * k, x.shape[1])).astype(np.float32)
    for rows in chunks(x):
        rows[:] = rng.standard_normal(rows.shape, dtype=np.float32)
    for rows in chunks(x):
        rows += centres[rng.integers(0, 2 * k, len(rows))]


def uniform(rng, x, k):
    """Uniform in [0, 1): no groups at all."""
    for rows in chunks(x):
        rng.random(dtype=np.float32, out=rows)


def customers(rng, x, k):
    """Customers whose groups overlap, and who spend lognormally: k-means takes long to settle on them.

    Each of k groups has its means of the logarithms, closer together (0.5) than its members are (0.8), so the edges between groups run
    through dense regions. Half of the columns stay logarithms; the others are amounts, with the long tail that pulls centroids along.
    """
    centres = rng.normal(0, 0.5, (k, x.shape[1])).astype(np.float32)
    shares = rng.dirichlet(np.full(k, 2.0))
    for rows in chunks(x):
        rows[:] = np.float32(0.8) * rng.standard_normal(rows.shape, dtype=np.float32)
        rows += centres[rng.choice(k, len(rows), p=shares)]
        amounts = rows[:, : x.shape[1] // 2]
        np.exp(amounts, out=amounts)


KINDS = {f.__name__: f for f in (mixture, uniform, customers)}
