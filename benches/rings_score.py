"""Holds the rings of a store against the truth of a world of rings_world.py.

    rings_score.py STILLHUNT STORE WORLD KEY       prints recall by label, precision, and what each ring is made of

A member is right when it is of a planted campaign, a troll or of the pool; of a class it is innocent.
"""
import collections
import csv
import subprocess
import sys

program, store, world, key = sys.argv[1:5]
labels, account_of = collections.defaultdict(set), {}
for line in open(world + "/truth.csv"):
    exchange, account, _, label = line.rstrip("\n").split(",")
    labels[account].add(label)
    account_of[exchange] = account


def export(what):
    run = subprocess.run([program, "export", what, "--store", store, "--key", key], capture_output=True, text=True, check=True)
    return csv.DictReader(run.stdout.splitlines())


name_of = {row["account"]: account_of[row["exchange_id"]] for row in export("members")}


def planted(account):
    return {label for label in labels[account] if label.startswith("camp") or label in ("troll", "pool")}


rings, found = collections.defaultdict(list), collections.defaultdict(set)
for row in export("rings"):
    account = name_of.get(row["account"], "?")
    rings[row["ring_id"], row["route"], row["gamma_star"]].append(account)
    for label in labels[account]:
        found[label].add(account)
sizes = collections.Counter(label for own in labels.values() for label in own)
members = [account for own in rings.values() for account in own]
right = sum(bool(planted(account)) for account in members)
print(f"members {len(members)}, of them planted {right} ({right / max(1, len(members)):.3f})")
for label in sorted(label for label in sizes if label.startswith(("camp", "class")) or label in ("troll", "pool")):
    print(f"  {label}: {len(found[label])} of {sizes[label]} = {len(found[label]) / sizes[label]:.2f}")
for (ring, route, gamma), own in rings.items():
    made_of = collections.Counter()
    for account in own:
        made_of.update(planted(account) or {"innocent"})
    print(f"  {ring} {route} gamma* {gamma}: {len(own)} members, {dict(made_of.most_common(4))}")
