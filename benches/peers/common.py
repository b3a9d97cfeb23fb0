"""What the peers share: the files they are given, the clock they are measured by, and the form of what they tell.

CPU-seconds are user and system, of all threads, and of the workers that a peer starts, alive or ended: a peer that embeds in other
processes pays for them. Peak memory is that of the process, and of its workers by their own account beside it.
"""

import json
import os
import resource
import time

import numpy as np

DIM = 256
TICK = os.sysconf("SC_CLK_TCK")
RANGED, NEAR = 2000, 0.9  # queries of the search by radius; the other radius


def workers():
    """Processes below this one that still run."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append((int(name), (int(fields[11]) + int(fields[12])) / TICK))
    below, stack = [], [os.getpid()]
    while stack:
        found = parents.get(stack.pop(), [])
        below += found
        stack += [pid for pid, _ in found]
    return below


def cpu():
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in own)


def status(name, pid="self"):
    try:
        with open(f"/proc/{pid}/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))
    except (OSError, StopIteration):
        return 0


def resident():
    return status("VmRSS:")


def peak():
    return status("VmHWM:")


class Clock:
    """Looking for workers takes milliseconds, so it is done outside the time that is measured, and only where it is asked for."""

    def __init__(self, with_workers=False):
        self.with_workers = with_workers
        self.of_workers = self.look()
        self.began = time.perf_counter(), cpu()

    def took(self):
        wall, own = time.perf_counter() - self.began[0], cpu() - self.began[1]
        return {"wall_s": wall, "cpu_s": own + self.look() - self.of_workers}

    def look(self):
        return sum(seconds for _, seconds in workers()) if self.with_workers else 0.0


def texts(path, n):
    with open(path) as file:
        return [json.loads(line) for line, _ in zip(file, range(n))]


def vectors(path, first, last):
    return np.fromfile(path, np.float32, (last - first) * DIM, offset=first * DIM * 4).reshape(-1, DIM)


def write_hits(path, hits):
    """How many hits each query has, then all of them."""
    counts = np.array([len(h) for h in hits], np.uint32)
    np.concatenate([counts, *(np.asarray(h, np.uint32) for h in hits)]).astype(np.uint32).tofile(path)


def read_hits(path, n_queries):
    numbers = np.fromfile(path, np.uint32)
    return numbers[:n_queries].astype(np.int64), numbers[n_queries:].astype(np.int64)


def tell(**line):
    print(json.dumps(line), flush=True)
