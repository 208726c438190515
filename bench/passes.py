"""Full passes and whole fits against the peers, threads and algorithms against each other, at every regime."""

import json
import os
from functools import reduce
from operator import add
from statistics import median

from programs import APPROXIMATE, EXACT, Failed, differs, each, passes, step
from report import atmost, head, nanoseconds, ratio, row, share
from roofline import Roofline
from shapes import EMBEDDINGS, REGIMES

FILTERED = 48  # centroids from which auto goes through the filter at these numbers of columns
MARK = "≠"  # beside a peer whose inertia is not ours


def regimes(bench, full, whole):
    """One table of full passes, one of whole fits; each peer is measured once for both."""
    if full:
        head("full pass, ns/point", "coterie", "of the roofline", "bound by", *EXACT, "× the best exact peer", "with the filter", "× with it", "others took")
    fits, notes = [], []
    for regime in map(bench.sized, REGIMES):
        roofline = Roofline(bench)
        peers = EXACT + [APPROXIMATE] * (whole and regime.d >= EMBEDDINGS)
        turns = {name: against(bench, regime, name, full, whole) for name in peers}
        roofline.probe()
        keep(bench, regime, turns)
        notes += [f"{MARK} {regime}: {name} ends with {off:+.2%} of our inertia" for name, off in disagreements(turns)]
        if full:
            pass_row(bench, regime, roofline, turns)
        if whole:
            fits.append((regime, turns))
    if whole:
        print()
        head("whole fit, seconds", "iterations", "coterie", *EXACT, APPROXIMATE, "× the best exact peer", f"× {APPROXIMATE}", "others took")
        for regime, turns in fits:
            fit_row(regime, turns)
    print()
    for note in notes:
        print(note + "\n", flush=True)


def against(bench, regime, name, full, whole):
    """Turns of coterie and a peer, which stands between ours: (lloyd, peer, auto, filter); or a Failed."""

    def once():
        lloyd = bench.ours(regime, "lloyd") if full and name != APPROXIMATE else None
        peer = bench.peer(name, regime)
        auto = bench.ours(regime, "auto") if whole else None
        sifted = bench.ours(regime, "filter") if lloyd and regime.k >= FILTERED else None
        if len({doc["digest"] for doc in (lloyd, auto, sifted) if doc}) > 1:
            raise SystemExit(f"{regime}: digests of algorithms differ")
        return lloyd, peer, auto, sifted

    try:
        bench.table(regime)  # made outside the turns
        return bench.turns.take(once)
    except Failed as failure:
        return failure


def sides(turns, ours, cost):
    """Pairs of costs, ours and the peer's, of each turn; ours is 0 for lloyd, 2 for auto, 3 for filter."""
    return [(cost(turn[ours]), cost(turn[1])) for turn in turns[0]]


def done(turns, names=EXACT):
    return {name: turns[name] for name in names if name in turns and not isinstance(turns[name], Failed)}


def best(turns, cost):
    """The fastest exact peer that there is a time of."""
    known = done(turns)
    return min(known, key=lambda name: median(cost(turn[1]) for turn in known[name][0]), default=None)


def noise(turns):
    return reduce(add, (shares for _, shares in done(turns, turns).values()))


def disagreements(turns):
    for name, (taken, _) in done(turns).items():
        lloyd, peer, auto, _ = taken[0]
        if (off := differs(lloyd or auto, peer)) is not None:
            yield name, off


def cell(regime, turns, name, form):
    if name not in turns:
        return "–"
    if isinstance(turns[name], Failed):
        return f"failed: {turns[name]}"
    wrong = dict(disagreements(turns)).get(name)
    return form(turns[name][0]) + (f" {MARK}" if wrong is not None else "")


def pass_row(bench, regime, roofline, turns):
    rival, known = best(turns, each), done(turns)
    if rival is None:
        return row(regime, "–", "–", "–", *(cell(regime, turns, name, str) for name in EXACT), "–", "–", "–", "–")
    seconds = median(each(turn[0]) for taken, _ in known.values() for turn in taken)
    fraction, by = roofline.fraction(regime, seconds, bench.threads)
    cells = (cell(regime, turns, name, lambda taken: nanoseconds(median(each(turn[1]) for turn in taken), regime.n)) for name in EXACT)
    sifted = [each(turn[3]) for taken, _ in known.values() for turn in taken if turn[3]]
    ahead = [nanoseconds(median(sifted), regime.n), ratio(sides(turns[rival], 3, each), regime.full)] if sifted else ["–", "–"]
    row(regime, nanoseconds(seconds, regime.n), share(fraction, regime.fraction), by, *cells, ratio(sides(turns[rival], 0, each), regime.full), *ahead, noise(turns))


def fit_row(regime, turns):
    """Times for each iteration make the ratio: programs that stop where nothing changes do not all stop at one iteration."""
    rival, known = best(turns, step), done(turns, turns)
    if not known:
        return row(regime, "–", "–", *(cell(regime, turns, name, str) for name in [*EXACT, APPROXIMATE]), "–", "–", "–")
    ours = [turn[2] for taken, _ in known.values() for turn in taken]
    cells = [cell(regime, turns, name, lambda taken: counted([turn[1] for turn in taken], ours)) for name in [*EXACT, APPROXIMATE]]
    ahead = [ratio(sides(turns[name], 2, step), goal) if name in known else "–" for name, goal in ((rival, regime.whole), (APPROXIMATE, regime.name == "big768" and 1))]
    row(regime, ours[0]["iterations"], f"{median(doc['seconds']['iterate'] for doc in ours):.2f}", *cells, *ahead, noise(turns))


def counted(theirs, ours):
    """Seconds, with the iterations where they are not ours."""
    text, iterations = f"{median(doc['seconds'] for doc in theirs):.2f}", theirs[0]["iterations"]
    return text + (f" ({iterations} it.)" if iterations != ours[0]["iterations"] else "")


def keep(bench, regime, turns):
    """What the peers took, in peers.json, beside the data."""
    if bench.quick:
        return
    path = os.path.join(bench.data, "peers.json")
    known = {}
    if os.path.exists(path):
        with open(path) as f:
            known = json.load(f)
    for name, (taken, note) in done(turns, turns).items():
        peers = [turn[1] for turn in taken]
        known.setdefault(regime.name, {})[name] = {
            "ns_per_point": median(each(doc) for doc in peers) / regime.n * 1e9, "seconds": median(doc["seconds"] for doc in peers),
            "iterations": peers[0]["iterations"], "inertia": peers[0]["inertia"],
            "threads_busy": median(doc["cpu"] / doc["seconds"] for doc in peers), "others": str(note)}
    with open(path + ".part", "w") as f:
        json.dump(known, f, indent=1)
    os.replace(path + ".part", path)


def threads(bench):
    """One thread against all: full passes."""
    head(f"full pass: {bench.threads} threads against one", "one", bench.threads, "speed-up", "of the roofline: one", bench.threads, "bound by", "others took")
    for regime in map(bench.sized, REGIMES):
        bench.table(regime)
        roofline = Roofline(bench)
        turns, note = bench.turns.take(lambda: (bench.ours(regime, "lloyd", threads=bench.threads), bench.ours(regime, "lloyd", threads=1)))
        roofline.probe()
        if any(one["digest"] != many["digest"] for many, one in turns):
            raise SystemExit(f"{regime}: the digest depends on the threads")
        many, one = (median(map(each, side)) for side in zip(*turns))
        (alone, _), (together, by) = roofline.fraction(regime, one, 1), roofline.fraction(regime, many, bench.threads)
        goal = 1.9 if by == "arithmetic" else None
        row(regime, nanoseconds(one, regime.n), nanoseconds(many, regime.n), ratio([(each(m), each(o)) for m, o in turns], goal), share(alone), share(together), by, note)
    print()


def algorithms(bench):
    """Every --algorithm against auto: whole fits."""
    names = [name for name in bench.algorithms() if name != "auto"]
    head("whole fit, seconds", "iterations", "auto", *names, "auto by the best of them", "others took")
    for regime in map(bench.sized, REGIMES):
        bench.table(regime)
        turns, note = bench.turns.take(lambda: [bench.ours(regime, name) for name in ["auto", *names]])
        if len({doc["digest"] for turn in turns for doc in turn}) != 1:
            raise SystemExit(f"{regime}: digests of algorithms differ")
        spent = [[doc["seconds"]["iterate"] for doc in turn] for turn in turns]
        first = min(range(1, len(names) + 1), key=lambda i: median(turn[i] for turn in spent))
        row(regime, passes(turns[0][0]) - 1, *(f"{median(side):.3f}" for side in zip(*spent)), atmost(median(turn[0] / turn[first] for turn in spent), 1.05), note)
    print()
