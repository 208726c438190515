"""Tables in Markdown, and the line above them that says where they come from."""

import platform
from statistics import median


def head(*columns):
    print("| " + " | ".join(map(str, columns)) + " |\n|" + "---|" * len(columns), flush=True)


def row(*cells):
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def ratio(pairs, goal=None):
    """The median of the ratios of turns, theirs over ours, with the goal beside it."""
    value = median(theirs / ours for ours, theirs in pairs)
    return f"{value:.1f}×" + (f" (goal {goal:g}×{'' if value >= goal else ', missed'})" if goal else "")


def share(value, goal=None):
    return f"{value:.0%}" + (f" (goal {goal:.0%}{'' if value >= goal else ', missed'})" if goal else "")


def atmost(value, goal, form="{:.2f}"):
    return f"{form.format(value)} (at most {form.format(goal)}{'' if value <= goal else ', missed'})"


def nanoseconds(seconds, points):
    """A time for each point, with three digits and no more."""
    return f"{float(f'{seconds / points * 1e9:.3g}'):,g} ns"


def processor():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor()
