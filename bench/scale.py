"""What a coordinator costs at ten to a thousand workers: the real state machine and server, with workers that compute nothing
(coordinator/metropolis_test.go). Prints tables in Markdown; fails where an event costs more statements at a thousand workers
than a fixed factor over what it costs at ten. Needs Go alone: python3 bench/scale.py [--quick]."""

import json
import os
import re
import subprocess
import sys
import tempfile

import report

SIZES = [(10, 1_000), (30, 3_000), (100, 10_000), (300, 30_000), (1_000, 100_000), (100, 100_000), (1_000, 10_000)]
ITERATIONS = 100
# By how much an event may cost more statements, or bytes, at the fifth size than at the first. The partitions of an answer are
# as many at both; but a worker that is lost takes a look at each other one, and of those there are more.
GROWTH = 3
PACKAGE, COVERED = "./coordinator", "./coordinator,./partition"
# The memory that the largest may take, and the time that it should take on two cores.
MEMORY, SECONDS = 2 << 30, 180


def build(folder, name, *flags):
    path = os.path.join(folder, name)
    subprocess.run(["go", "test", "-c", "-o", path, *flags, PACKAGE], check=True)
    return path


def run(binary, size, iterations, *flags, **env):
    """One size in a process of its own: what it found."""
    values = {"COTERIE_SCALE": f"{size[0]} {size[1]} {iterations}", **env}
    done = subprocess.run([binary, "-test.run", "^TestTheCurveOfScale$", "-test.timeout", "1h", *flags], cwd=PACKAGE, text=True,
                          env=dict(os.environ, **values), stdout=subprocess.PIPE)
    found = re.search(r"^scale (\{.*\})$", done.stdout, re.MULTILINE)
    if done.returncode or not found:
        sys.exit(f"{size[0]} workers, {size[1]} partitions: {done.stdout}")
    return json.loads(found[1])


def statements(profile):
    """The statements that were carried out, by a coverage profile that counts."""
    total = 0
    with open(profile) as f:
        next(f)
        for line in f:
            _, count, times = line.rsplit(" ", 2)
            total += int(count) * int(times)
    return total


def tables(points):
    report.head("workers", "partitions", "events", "statements an event", "bytes an event", "µs an event", "µs an answer of an iteration",
                "µs of a label", "µs of a join", "ms of a loss", "steps in all, s", "whole run, s", "peak heap, MiB")
    for p in points:
        m = p["micros"]
        report.row(f"{p['workers']:,}", f"{p['partitions']:,}", f"{p['events']:,}", f"{p['statements']:.0f}", f"{p['bytes']:,.0f}",
                   f"{1e6 * p['steps'] / p['events']:.1f}", f"{m['iterate']:.1f}", f"{m['label']:.1f}", f"{m['join']:.0f}",
                   f"{m['loss'] / 1000:.2f}", f"{p['steps']:.1f}", f"{p['seconds']:.0f}", f"{p['peak'] / 2**20:.0f}")
    print()
    report.head("workers", "partitions", "µs of a beat", "µs of an answer", "ms of a look at silence (10/s)", "ms of a look for stragglers (10/s)",
                "ms of a snapshot", "ms of metrics", "µs of a join", "µs of a loss", "beats and looks, ms of each second")
    for p in points:
        s = p["server"]
        second = s["beat"] * p["workers"] + 10 * (s["watch"] + s["tick"])
        report.row(f"{p['workers']:,}", f"{p['partitions']:,}", f"{s['beat']:.1f}", f"{s['answer']:.1f}", f"{s['watch'] / 1000:.2f}",
                   f"{s['tick'] / 1000:.2f}", f"{s['snapshot'] / 1000:.2f}", f"{s['metrics'] / 1000:.1f}", f"{s['join']:.0f}", f"{s['loss']:.0f}",
                   f"{second / 1000:.2f}")


def main():
    iterations = ITERATIONS // 20 if "--quick" in sys.argv[1:] else ITERATIONS
    print(f"{report.processor()}, {os.cpu_count()} cores; {subprocess.check_output(['go', 'version'], text=True).split()[2]}; {iterations} iterations, "
          "of which in each one worker of a hundred is lost, one joins, one answers late and one twice\n", flush=True)
    points = []
    with tempfile.TemporaryDirectory() as folder:
        plain, counting = build(folder, "plain"), build(folder, "counting", "-covermode=count", f"-coverpkg={COVERED}")
        for size in SIZES:
            p = run(plain, size, iterations)
            profile = os.path.join(folder, "profile")
            counted = run(counting, size, max(iterations // 5, 5), f"-test.coverprofile={profile}", COTERIE_SCALE_COUNT="1")
            p["statements"] = statements(profile) / counted["events"]
            points.append(p)
    tables(points)
    first, last = points[0], points[4]
    failed = [f"{name} is {last[key] / first[key]:.1f} times as much at {last['workers']} workers as at {first['workers']}: more than {GROWTH}"
              for name, key in [("the statements of an event", "statements"), ("the memory of an event", "bytes")] if last[key] > GROWTH * first[key]]
    if last["peak"] > MEMORY:
        failed.append(f"{last['peak'] >> 20} MiB of heap: more than {MEMORY >> 20}")
    if last["seconds"] > SECONDS and iterations == ITERATIONS:
        print(f"\nThe largest run took {last['seconds']:.0f} s, more than {SECONDS}: other programs may have had the processors.")
    sys.exit("\n".join(failed) or None)


if __name__ == "__main__":
    main()
