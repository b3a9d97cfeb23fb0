"""Whether slots of a template that are drawn without replacement can be told from those that people fill.

    rings_slots.py WORLD       a world of rings_world.py: for each app, and for the pool, its uses, its values, and pairs of accounts with one value
    rings_slots.py             the exact test of evenly many copies: its level under independent choice, and its power

Given n uses and D values, every way to put the uses into D values is as likely under independent choice from values of one popularity; any other popularity makes uneven ways likelier. So the chance of as few pairs
with one value is an exact p-value, and of values that all differ it is 1.
"""
import collections
import json
import math
import pathlib
import random
import sys

draw = random.Random(1)
pairs = lambda counts: sum(count * (count - 1) // 2 for count in counts)


def truncated(rate):
    """A Poisson number that is not 0."""
    while True:
        at, chance, count = draw.random(), math.exp(-rate), 0
        below = chance
        while at > below and count < 1000:
            count += 1
            chance *= rate / count
            below += chance
        if count:
            return count


def even(counts, draws):
    """The chance that as many uses of as many values are as even: numbers of a Poisson law that is not 0, given their sum, are those of a random partition."""
    uses, values = sum(counts), len(counts)
    if uses == values:
        return 1.0
    low, high = 1e-9, uses / values + 1
    for _ in range(80):
        rate = (low + high) / 2
        low, high = (rate, high) if rate / (1 - math.exp(-rate)) < uses / values else (low, rate)
    extreme = done = 0
    while done < draws:
        drawn = [truncated(rate) for _ in range(values)]
        if sum(drawn) == uses:
            done, extreme = done + 1, extreme + (pairs(drawn) <= pairs(counts))
    return (extreme + 1) / (draws + 1)


if len(sys.argv) > 1:
    world = pathlib.Path(sys.argv[1])
    label = {exchange: of for exchange, _, _, of in (line.rstrip("\n").split(",") for line in open(world / "truth.csv"))}
    source = (pathlib.Path(__file__).parent / "rings_world.py").read_text()
    fragment = "".join(source.split("FRAGMENT = (")[1].split("\n)")[0].strip().strip('"').split('"\n    "'))
    sent = collections.defaultdict(set)
    for log in sorted(world.glob("n*.jsonl")):
        for row in map(json.loads, open(log)):
            of = label[row["id"]]
            if of.startswith("app"):
                sent[of].add((row["account"], row["prompt"].split("\n\n")[-1]))
            elif of == "pool":
                sent[of].add((row["account"], " ".join(row["prompt"].replace(fragment, "").split())))
    for of, uses in sorted(sent.items()):
        counts = collections.Counter(value for _, value in uses).values()
        print(f"{of}: {len({account for account, _ in uses})} accounts, {len(uses)} uses, {len(counts)} values, {pairs(counts)} pairs with one value")
else:
    for name, uses, weights in [("40 values", 60, [1] * 40), ("200 values", 60, [1] * 200), ("200 of Zipf", 60, [1 / (i + 1) for i in range(200)])]:
        chosen = lambda: collections.Counter(draw.choices(range(len(weights)), weights, k=uses)).values()
        print(f"{uses} uses of {name}, chosen freely: {sum(even(chosen(), 99) <= 0.05 for _ in range(300))} of 300 with p of 5% at most")
    lost = lambda: [copies for copies in (sum(draw.random() < 0.8 for _ in range(2)) for _ in range(20)) if copies]
    for name, queue in [("two copies of 20", lambda: [2] * 20), ("the same, one use in five lost", lost), ("the same beside 20 of one copy", lambda: [2] * 20 + [1] * 20)]:
        print(f"{name}: median p {sorted(even(queue(), 499) for _ in range(40))[20]:.3f}")
