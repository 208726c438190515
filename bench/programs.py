"""Runs coterie and the peers, each fit in a process of its own, on the same files."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys

import data
from turns import Turns

HERE = os.path.dirname(os.path.abspath(__file__))
WAIT = 3600  # seconds that one program may take
OTHERS = 0.10  # the share of the processors that others may take in a turn
AGREE = 1e-3  # relative difference of inertias of exact programs from one start
EXACT = ["scikit-learn", "scikit-learn-intelex", "faiss-cpu"]
APPROXIMATE = "superkmeans"


class Failed(Exception):
    """A program that did not do it: what it said last."""


def run(command, **environment):
    """Standard output of a command that ended well. It has a process group, so that what it started ends with it in any case."""
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
                               env={**os.environ, **environment})
    try:
        out, err = process.communicate(timeout=WAIT)
    except subprocess.TimeoutExpired:
        raise Failed(f"no end after {WAIT} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode != 0:
        said = err.strip().splitlines()
        raise Failed(said[-1].strip()[:200] if said else f"ended with {process.returncode}")
    return out


class Bench:
    """The options of a run, and what every part does with them."""

    def __init__(self, options):
        self.coterie, self.data, self.threads, self.quick = options.coterie, options.data, options.threads, options.quick
        self.platforms = options.platforms or []
        self.turns = Turns(options.repeat, options.patience, OTHERS)
        self.model = os.path.join(self.data, "model.json")
        self.beyond = []  # passes faster than the roofline, which cannot be

    def sized(self, regime):
        """A regime, a tenth of it where this is only a trial."""
        return dataclasses.replace(regime, n=regime.n // 10) if self.quick else regime

    def table(self, regime):
        return data.table(self.data, regime.kind, regime.n, regime.d, regime.k)

    def fit(self, path, k, *flags, threads=0):
        """The document of a fit without scaling and tolerance."""
        flags = ["--scale", "none", "--tol", 0, "--threads", threads or self.threads, *flags]
        return json.loads(run([self.coterie, "fit", path, "-k", k, "-o", self.model, "--json", "--quiet", *flags]))

    def ours(self, regime, algorithm, threads=0):
        path, start = self.table(regime)
        return self.fit(path, regime.k, "--init", start, "--max-iter", regime.iterations, "--algorithm", algorithm, threads=threads)

    def peer(self, name, regime, **more):
        path, start = self.table(regime)
        task = {"peer": name, "data": path, "start": start, "iterations": regime.iterations, "threads": self.threads, **more}
        out = run([sys.executable, os.path.join(HERE, "peer.py"), json.dumps(task)], OMP_NUM_THREADS=str(self.threads))
        return json.loads(out.splitlines()[-1])

    def roofline(self):
        """What the machine can do at most right now: 10⁹ float32 operations and bytes a second, by thread count."""
        rows = json.loads(run([self.coterie, "bench", "roofline", "--json"]))["threads"]
        return {row["threads"]: (row["gflops"], row["gbytes_per_second"]) for row in rows}

    def algorithms(self):
        """What --algorithm takes, as the help says."""
        for word in run([self.coterie, "fit", "--help"]).split("--algorithm", 1)[1].split():
            return word.split("|")


def passes(doc):
    """The passes of a fit of ours: one for each update and the last, which gives labels and inertia."""
    return doc["iterations"] + 1


def each(doc):
    """Seconds of one pass, of ours or a peer's."""
    return doc["seconds"]["iterate"] / passes(doc) if isinstance(doc["seconds"], dict) else doc["seconds"] / doc["passes"]


def step(doc):
    """Seconds of a whole fit for each of its iterations, which are the same in all exact programs."""
    return (doc["seconds"]["iterate"] if isinstance(doc["seconds"], dict) else doc["seconds"]) / doc["iterations"]


def differs(ours, theirs):
    """How far a peer's inertia is from ours, where that is too far; else nothing."""
    off = theirs["inertia"] / ours["inertia"] - 1
    return off if abs(off) > AGREE else None
