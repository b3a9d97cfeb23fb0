"""Holds the rings of a store against the truth of a world of rings_world.py.

    rings_score.py STILLHUNT STORE WORLD KEY       prints recall by label, precision, and what each ring is made of

A member is right when it is of a planted campaign, a troll or of the pool; of a class it is innocent, and so is one that was framed.
"""
import collections
import csv
import subprocess
import sys

INNOCENT = ("organic", "app", "class", "irc", "framed")


def quantile(values, share):
    """The value below which this share of the values lies, between neighbours by a straight line."""
    values = sorted(values)
    at = share * (len(values) - 1)
    low = int(at)
    return values[low] + (at - low) * (values[min(low + 1, len(values) - 1)] - values[low])


def score(program, store, world, key):
    """What was found, by label: accounts and how many of them are listed; members, how many are right; what each ring is made of."""
    labels, account_of = collections.defaultdict(set), {}
    for line in open(world + "/truth.csv"):
        exchange, account, _, label = line.rstrip("\n").split(",")
        labels[account].add(label)
        account_of[exchange] = account

    def export(what):
        run = subprocess.run([program, "export", what, "--store", store, "--key", key], capture_output=True, text=True, check=True)
        return csv.DictReader(run.stdout.splitlines())

    name_of, trolls_of = {}, collections.defaultdict(set)
    for row in export("members"):
        name_of[row["account"]] = account = account_of[row["exchange_id"]]
        if "troll" in labels[account]:
            trolls_of[row["family_id"]].add(account)
    # Real accounts that share three families with others of their kind: of the rest nothing can be known.
    shared = collections.Counter(account for own in trolls_of.values() if len(own) >= 2 for account in own)
    for account in (account for account, n in shared.items() if n >= 3):
        labels[account].add("troll, three families shared")

    def planted(account):
        return {label for label in labels[account] if not label.startswith(INNOCENT)}

    rings, found = collections.defaultdict(list), collections.defaultdict(set)
    for row in export("rings"):
        account = name_of.get(row["account"], "?")
        rings[row["ring_id"], row["route"], row["gamma_star"]].append(account)
        for label in labels[account]:
            found[label].add(account)
    sizes = collections.Counter(label for own in labels.values() for label in own)
    members = [account for own in rings.values() for account in own]
    made_of = {}
    for ring, own in rings.items():
        made_of[ring] = collections.Counter()
        for account in own:
            made_of[ring].update(planted(account) or {"innocent"})
    return {
        "labels": {label: (len(found[label]), sizes[label]) for label in sorted(sizes)},
        "members": len(members),
        "right": sum(bool(planted(account)) for account in members),
        "rings": {ring: (len(rings[ring]), made_of[ring]) for ring in rings},
        "innocent": sum(2 * own["innocent"] > len(rings[ring]) for ring, own in made_of.items()),
    }


if __name__ == "__main__":
    result = score(*sys.argv[1:5])
    members, right = result["members"], result["right"]
    print(f"members {members}, of them planted {right} ({right / max(1, members):.3f}), rings mostly innocent {result['innocent']}")
    for label, (listed, size) in result["labels"].items():
        if not label.startswith(("organic", "app", "irc")):
            print(f"  {label}: {listed} of {size} = {listed / size:.2f}")
    for (ring, route, gamma), (size, made_of) in result["rings"].items():
        print(f"  {ring} {route} gamma* {gamma}: {size} members, {dict(made_of.most_common(4))}")
