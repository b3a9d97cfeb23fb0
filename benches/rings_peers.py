"""Other ways to find accounts that act together, on the families of the same store, held against the same truth.

    rings_peers.py STILLHUNT STORE WORLD KEY

Each rule gets what it was made for (who used which family, and when) and its usual thresholds, which were not tuned here:
* shared text: accounts of any family of five accounts or more, exact, or of any level (what a rule "same text from many accounts" does);
* Jaccard: pairs whose sets of families have a Jaccard index of 0.5 and three families in common, connected;
* SynchroTrap (Cao et al. 2014): the same over (family, hour);
* percentile (CooRTweet, QUT): pairs in the top half percent by families in common within an hour, connected;
* hypergeometric pairs (Tumminello et al. 2011): families in common beyond chance given how many each used, Benjamini-Hochberg at 1%, connected;
* FRAUDAR (Hooi et al. 2016): ten densest blocks of the account-family graph with logarithmic column weights, one after another.
Families of more than 600 accounts count nowhere, as for rings. A group of fewer than three accounts is none. Needs numpy and scipy.
"""
import collections
import csv
import datetime
import heapq
import itertools
import json
import math
import subprocess
import sys

import numpy
from scipy.stats import hypergeom

from rings_score import INNOCENT, score

program, store, world, key = sys.argv[1:5]
run = subprocess.run([program, "export", "members", "--store", store, "--key", key], capture_output=True, text=True, check=True)
times, account_of, labels = {}, {}, collections.defaultdict(set)
for night in range(64):
    try:
        log = open(f"{world}/n{night}.jsonl")
    except FileNotFoundError:
        break
    for row in map(json.loads, log):
        times[row["id"]] = int(datetime.datetime.fromisoformat(row["time"].replace("Z", "+00:00")).timestamp()) // 3600
for line in open(f"{world}/truth.csv"):
    exchange, account, _, label = line.rstrip("\n").split(",")
    account_of[exchange] = account
    labels[account].add(label)
uses, levels = collections.defaultdict(set), {}
for row in csv.DictReader(run.stdout.splitlines()):
    uses[row["family_id"]].add((account_of[row["exchange_id"]], times[row["exchange_id"]]))
    levels[row["family_id"]] = row["level"]
holders = {family: {account for account, _ in own} for family, own in uses.items()}
holders = {family: own for family, own in holders.items() if 2 <= len(own) <= 600}
of_account = collections.defaultdict(set)
for family, own in holders.items():
    for account in own:
        of_account[account].add(family)
n_families = len(holders)


def connected(pairs):
    parent = {}

    def root(x):
        while parent.setdefault(x, x) != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for a, b in pairs:
        parent[root(a)] = root(b)
    groups = collections.defaultdict(set)
    for x in list(parent):
        groups[root(x)].add(x)
    return [group for group in groups.values() if len(group) >= 3]


def in_common(sets):
    counts = collections.Counter()
    for own in sets:
        counts.update(itertools.combinations(sorted(own), 2))
    return counts


def shared(level):
    return [own for family, own in holders.items() if len(own) >= 5 and (level is None or levels[family] == level)]


def jaccard(of_account, common):
    return connected(
        pair for pair, n in common.items() if n >= 3 and n / (len(of_account[pair[0]]) + len(of_account[pair[1]]) - n) >= 0.5
    )


def hypergeometric(common):
    pairs = [(pair, n) for pair, n in common.items() if n >= 2]
    n = numpy.array([n for _, n in pairs])
    a = numpy.array([len(of_account[pair[0]]) for pair, _ in pairs])
    b = numpy.array([len(of_account[pair[1]]) for pair, _ in pairs])
    p = hypergeom.sf(n - 1, n_families, a, b)
    # Of all pairs of accounts, those that share fewer than two families have p near one.
    tests = len(of_account) * (len(of_account) - 1) / 2
    order = numpy.argsort(p)
    good = numpy.nonzero(p[order] <= 0.01 * (numpy.arange(len(p)) + 1) / tests)[0]
    chosen = order[: good[-1] + 1] if len(good) else []
    return connected(pairs[i][0] for i in chosen)


def fraudar(blocks=10):
    edges = {(account, family) for family, own in holders.items() for account in own}
    out = []
    for _ in range(blocks):
        near = collections.defaultdict(set)
        for account, family in edges:
            near["a", account].add(("f", family))
            near["f", family].add(("a", account))
        weight = {node: 1 / math.log(len(own) + 5) for node, own in near.items() if node[0] == "f"}
        cost = lambda node, other: weight[node if node[0] == "f" else other]
        degree = {node: sum(cost(node, other) for other in own) for node, own in near.items()}
        total, alive, heap = sum(degree.values()) / 2, set(degree), [(d, node) for node, d in degree.items()]
        heapq.heapify(heap)
        best, best_at, removed = 0.0, 0, []
        while alive:
            if total / len(alive) > best:
                best, best_at = total / len(alive), len(removed)
            d, node = heapq.heappop(heap)
            if node not in alive or d > degree[node] + 1e-12:
                continue
            alive.remove(node)
            removed.append(node)
            total -= degree[node]
            for other in near[node]:
                if other in alive:
                    degree[other] -= cost(node, other)
                    heapq.heappush(heap, (degree[other], other))
        block = set(removed[best_at:])
        out.append({node[1] for node in block if node[0] == "a"})
        edges = {(account, family) for account, family in edges if not (("a", account) in block and ("f", family) in block)}
    return out


def planted(account):
    return {label for label in labels[account] if not label.startswith(INNOCENT)}


sizes = collections.Counter(label for own in labels.values() for label in own)
shown = sorted(label for label in sizes if not label.startswith(INNOCENT))


def line(name, groups):
    listed = set().union(*groups) if groups else set()
    right = sum(bool(planted(account)) for account in listed)
    innocent = sum(2 * sum(not planted(account) for account in group) > len(group) for group in groups)
    recalls = [sum(label in labels[account] for account in listed) / sizes[label] for label in shown]
    cells = [f"{len(groups)}", f"{innocent}", f"{len(listed)}", f"{right / max(1, len(listed)):.2f}"] + [f"{r:.2f}" for r in recalls]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


print("| | groups | mostly innocent | accounts | right | " + " | ".join(shown) + " |\n|" + "---|" * (5 + len(shown)))
line("same exact text, five accounts", shared("exact"))
line("same family, five accounts", shared(None))
common = in_common(holders.values())
line("Jaccard", jaccard(of_account, common))
at_once = collections.defaultdict(set)
hours = collections.defaultdict(set)
for family in holders:
    for account, hour in uses[family]:
        at_once[family, hour].add(account)
        hours[account].add((family, hour))
together = in_common(own for own in at_once.values() if len(own) >= 2)
line("SynchroTrap", jaccard(hours, together))
limit = numpy.quantile(list(together.values()), 0.995)
line("percentile", connected(pair for pair, n in together.items() if n >= max(2, limit)))
line("hypergeometric pairs", hypergeometric(common))
line("FRAUDAR", fraudar())
ours = score(program, store, world, key)
recalls = [f"{ours['labels'][label][0] / ours['labels'][label][1]:.2f}" for label in shown]
cells = [f"{len(ours['rings'])}", f"{ours['innocent']}", f"{ours['members']}", f"{ours['right'] / max(1, ours['members']):.2f}"]
print("| stillhunt | " + " | ".join(cells + recalls) + " |")
