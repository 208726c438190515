"""How fast a fit is whose rows do not fit into the memory that it is given, against what the disk and the processor allow.

Usage: go build -o coterie ./cmd/coterie && python3 bench/spill.py --coterie ./coterie [--rows 200e6] [--memory 2GiB] [--spill DIR]

The disk is read from start to end in pieces of 4 MiB, past the page cache, by as many readers as a fit has, before and after the fit. What
the processor needs for a pass is measured on a part of the rows that stays in memory. A pass over spilled rows can take no
less than the larger of the two: its share of that is what the table shows. All passes are full ones (--algorithm lloyd), so that
every spilled byte is read in each of them.
"""

import argparse
import concurrent.futures
import json
import mmap
import os
import subprocess
import tempfile
import time

PIECE = 4 << 20  # bytes of a read
READERS = 3  # at once, as internal/spill has
PROBE = 2 << 30  # bytes that are read to tell the disk's speed
PART = 8  # one in so many rows is fitted in memory


def run(*command):
    """A command's JSON, and the most memory that it took."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{' '.join(map(str, command))} ended with status {status}: try it by hand")
        out.seek(0)
        return json.load(out), usage.ru_maxrss << 10


def disk(folder):
    """Bytes a second that the disk gives one file, read once from its start to its end."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix="coterie-probe-") as f:
        block = os.urandom(PIECE)
        for _ in range(PROBE // PIECE):
            f.write(block)
        f.flush()
        os.fsync(f.fileno())
        handle = os.open(f.name, os.O_RDONLY | os.O_DIRECT)
        pieces = iter(range(0, PROBE, PIECE))

        def read():
            buffer = mmap.mmap(-1, PIECE)
            while (at := next(pieces, None)) is not None:
                os.preadv(handle, [buffer], at)

        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
            for done in [pool.submit(read) for _ in range(READERS)]:
                done.result()
        took = time.monotonic() - began
        os.close(handle)
        return PROBE / took


def main():
    p = argparse.ArgumentParser(prog="bench/spill.py")
    p.add_argument("--coterie", required=True, help="the binary")
    p.add_argument("--rows", type=float, default=200e6)
    p.add_argument("-d", type=int, default=8, help="columns (8)")
    p.add_argument("-k", type=int, default=8, help="segments (8)")
    p.add_argument("--memory", default="2GiB")
    p.add_argument("--spill", default=tempfile.gettempdir(), help="a folder on the disk that is measured")
    p.add_argument("--threads", type=int, default=min(2, os.cpu_count()))
    p.add_argument("--iterations", type=int, default=10)
    o = p.parse_args()
    rows = int(o.rows)

    def fit(n, *flags):
        with tempfile.NamedTemporaryFile(suffix=".json") as model:
            return run(o.coterie, "fit", f"synth://uniform?rows={n}&seed=6&d={o.d}", "-k", o.k, "--tol", 0, "--max-iter", o.iterations, "--algorithm", "lloyd",
                       "--init", "random", "--threads", o.threads, "--json", "-o", model.name, "--quiet", *flags)

    plan, _ = run(o.coterie, "plan", f"synth://uniform?rows={rows}&seed=6&d={o.d}", "-k", o.k, "--threads", o.threads, "--memory", o.memory,
                  "--spill", o.spill, "--json")
    passes = o.iterations + 1
    before = disk(o.spill)
    part, _ = fit(rows // PART)
    spilled, peak = fit(rows, "--memory", o.memory, "--spill", o.spill)
    after = disk(o.spill)
    compute = part["seconds"]["iterate"] / passes * PART
    reading = plan["memory"]["points_spilled"] / max(before, after)
    took = spilled["seconds"]["iterate"] / passes
    print(f"| rows | memory | peak | spilled | disk before, after | pass by the disk | pass by the processor | pass | of the slower | read, write | fit |\n"
          f"|---|---|---|---|---|---|---|---|---|---|---|\n"
          f"| {rows / 1e6:g}M × {o.d} | {o.memory} | {peak / 2**30:.2f} GiB | {plan['memory']['points_spilled'] / 1e9:.2f} GB | "
          f"{before / 1e6:.0f}, {after / 1e6:.0f} MB/s | {reading:.2f} s | {compute:.2f} s | {took:.2f} s | **{max(reading, compute) / took:.0%}** | "
          f"{spilled['seconds']['read']:.1f} s | {spilled['seconds']['total']:.1f} s |")


if __name__ == "__main__":
    main()
