"""Turns that count only while the machine is ours: what other processes take of the processors is measured in each.

A turn begins once the processors are idle, and is taken again if others took more than a limit in it, as long as there is
patience. What compares two programs lets them take turns within one turn, so that both meet the same machine.
"""

import os
import resource
import time

TICKS = os.sysconf("SC_CLK_TCK")
CORES = len(os.sched_getaffinity(0))


def busy():
    """The seconds that the machine's processors have been used by anybody."""
    with open("/proc/stat") as f:
        user, nice, system, _, _, irq, soft, steal = map(int, f.readline().split()[1:9])
    return (user + nice + system + irq + soft + steal) / TICKS


class Others:
    """What other processes take of the processors while something is measured.

    Ours are this process, its children that have ended, and the processes given, which live on.
    """

    def __init__(self, processes=()):
        self.processes = processes
        self.began, self.busy, self.ours = time.perf_counter(), busy(), self.own()

    def own(self):
        alive = sum(p.seconds() for p in self.processes if p.popen.poll() is None)  # what has ended is counted with the children
        done = resource.getrusage(resource.RUSAGE_CHILDREN)
        me = resource.getrusage(resource.RUSAGE_SELF)
        return done.ru_utime + done.ru_stime + me.ru_utime + me.ru_stime + alive

    def share(self):
        spent = busy() - self.busy - (self.own() - self.ours)
        return max(spent, 0) / (time.perf_counter() - self.began) / CORES


class Noise(list):
    """The shares that others took in the turns that count; two can be added. As text: the largest, and how many are too large."""

    def __init__(self, shares, limit):
        super().__init__(shares)
        self.limit = limit

    def __add__(self, more):
        return Noise([*self, *more], self.limit)

    def __str__(self):
        loud = sum(share > self.limit for share in self)
        return f"{max(self):.0%}" + (f", in {loud} of {len(self)} above {self.limit:.0%}" if loud else "")


class Turns:
    """Takes so many turns of one thing after another, with patience (seconds) to wait for others to be done."""

    def __init__(self, repeat, patience, limit):
        self.repeat, self.patience, self.limit = repeat, patience, limit

    def quiet(self):
        """Waits until the processors are idle, as long as there is patience left."""
        while self.patience > 0:
            before, began = busy(), time.perf_counter()
            time.sleep(0.5)
            if busy() - before < self.limit * CORES / 2:
                return
            self.patience -= time.perf_counter() - began

    def take(self, once, processes=(), repeat=0):
        """The values of as many quiet turns as are asked for, and the noise in them.

        A turn that is lost to noise costs its time of the patience, so that a busy machine cannot hold the benchmark for ever.
        """
        repeat = repeat or self.repeat
        calm, loud = [], []
        while len(calm) < repeat and (len(calm) + len(loud) < repeat or self.patience > 0):
            self.quiet()
            others, began = Others(processes), time.perf_counter()
            value = once()
            share = others.share()
            (calm if share <= self.limit else loud).append((share, value))
            if share > self.limit:
                self.patience -= time.perf_counter() - began
        kept = calm + sorted(loud, key=lambda turn: turn[0])[: repeat - len(calm)]
        return [value for _, value in kept], Noise([share for share, _ in kept], self.limit)
