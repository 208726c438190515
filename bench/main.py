"""Compares coterie with the programs that people use for k-means, on the same data, the same start and the same iterations.

Usage: bench/run [PART…] (which makes the virtual environment and builds coterie). Read on in shapes.py (what is measured),
programs.py (how), passes.py, starts.py, files.py, large.py, decisions.py and till.py (the tables).
"""

import argparse
import json
import os
import platform
import signal
import sys
from importlib.metadata import PackageNotFoundError, version

import decisions
import files
import large
import passes
import platforms
import starts
import till
from programs import APPROXIMATE, EXACT, Bench, Failed, run
from report import processor

PARTS = {"pass": None, "fit": None, "runs": starts.runs, "files": files.files, "big": large.big, "growth": large.growth, "threads": passes.threads,
         "slow": large.slow, "algorithms": passes.algorithms, "small": files.small,
         "decisions": decisions.decisions, "till": till.till}

PLATFORMS = {"spark": "pyspark", "h2o": "h2o"}


def installed(package):
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} is not there"


def title(bench):
    known = json.loads(run([bench.coterie, "version", "--json"]))
    print(f"{processor()}, {bench.threads} threads, Linux {platform.release()}, kernel {known['kernel']}; coterie {known['version']} ({known['go']}); "
          + ", ".join(map(installed, [*EXACT, APPROXIMATE, *bench.platforms, "numpy", "pandas", "pyarrow"])) + f", Python {platform.python_version()}"
          + ("; **a trial with a tenth of the rows, for which no goal is set**" if bench.quick else "") + "\n", flush=True)


def arguments():
    p = argparse.ArgumentParser(prog="bench/run")
    p.add_argument("--coterie", required=True, help=argparse.SUPPRESS)
    p.add_argument("--data", required=True, help=argparse.SUPPRESS)
    p.add_argument("--threads", type=int, default=min(2, os.cpu_count()))
    p.add_argument("--repeat", type=int, default=3, help="turns of each comparison (3)")
    p.add_argument("--patience", type=float, default=600, help="seconds to spend, in each part, on waiting for others to be done and on turns that they spoilt (600)")
    p.add_argument("--quick", action="store_true", help="a tenth of the rows, to try it")
    for option, package in PLATFORMS.items():
        p.add_argument(f"--{option}", dest="platforms", action="append_const", const=package, help=f"{option} as well, at two shapes: downloads it, needs Java")
    p.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    o = p.parse_args()
    if unknown := set(o.parts) - set(PARTS):
        p.error(f"{', '.join(sorted(unknown))}: not one of {', '.join(PARTS)}")
    return o


def main():
    o = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # on the way out the program that runs is ended too
    os.makedirs(o.data, exist_ok=True)
    title(Bench(o))
    parts = {**PARTS, **({"platforms": platforms.platforms} if o.platforms else {})}
    wanted, problems = set(o.parts or parts), []
    for name, part in parts.items():
        if name not in wanted and name != "platforms":
            continue
        bench = Bench(o)
        try:
            if part:
                part(bench)
            elif name == "pass" or "pass" not in wanted:  # both tables come from the same turns
                passes.regimes(bench, full="pass" in wanted, whole="fit" in wanted)
        except Failed as failure:
            print(f"\n{name} failed: {failure}\n", flush=True)
            problems.append(f"{name}: {failure}")
        problems += [f"the probe is wrong: {fast}" for fast in bench.beyond]
    return "\n".join(problems) or 0


if __name__ == "__main__":
    sys.exit(main())
