"""The benchmark of rings on simulated worlds: recall of each campaign by strength, false rings by innocent group, misses beside hits.

    rings_benchmark.py STILLHUNT KEY WORK PLAN FIRST LAST [DAYS [TEXTS]]      worlds of seeds FIRST to LAST, each audited in one command

PLAN is `campaigns` (data/plans/benchmark.toml; each campaign is weak, middle or strong in turn, so that a world has all three), `evasions`
(data/plans/evasions.toml; every second evasion in turn, its knob at three strengths in turn) or `innocent` (the first without its campaigns). TEXTS is a file of
prompts in place of the grammars. What the plan calls registered is in the registry before the first night. What each world gave is a line of WORK/PLAN.jsonl (with DAYS
or TEXTS in its name); a seed that stands there is not done again, so a run that was stopped goes on, and the tables are of all lines. Needs Python 3.11.
"""
import collections
import csv
import datetime as dt
import glob
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rings_score import quantile

program, key, work, plan_name, first, last = sys.argv[1:7]
days = int(sys.argv[7]) if len(sys.argv) > 7 else 5
texts = sys.argv[8] if len(sys.argv) > 8 else None
plans = pathlib.Path(os.environ.get("PLANS", pathlib.Path(__file__).parent.parent / "data/plans"))
shipped = {name: tomllib.load(open(plans / f"{name}.toml", "rb")) for name in ("benchmark", "evasions")}
STRENGTHS = {"weak": {"accounts": 12, "rate": 3.0}, "middle": {"accounts": 30, "rate": 5.0}, "strong": {"accounts": 50, "rate": 8.0}}
# New tasks a day of the campaigns that have a queue.
TASKS = {"weak": 8, "middle": 15, "strong": 20}
# What moves an evasion, from what costs its operator least to what costs most. All have 30 accounts with 5 requests a day, and 15 tasks where there is a queue.
KNOBS = {
    "plain": [{}, {}, {}],
    "slots": [{"share": 0.5}, {"share": 0.3}, {"share": 0.1}],
    "thin-fragment": [{"share": 0.2}, {"share": 0.05}, {"share": 0.02}],
    "fragment": [{}, {}, {}],
    "like-people": [{"own_subjects": 0.3, "uneven": 0.0}, {"own_subjects": 0.0, "uneven": 0.5}, {"own_subjects": 0.5, "uneven": 0.5}],
    "rules": [{"rounds": 1}, {"rounds": 2}, {"rounds": 3}],
    "wording-of-each-account": [{"rounds": 1}, {"rounds": 2}, {"rounds": 3}],
    "lost": [{"loss": 0.3}, {"loss": 0.6}, {"loss": 0.9}],
    "translated": [{"translated": 0.4}, {"translated": 0.7}, {"translated": 1.0}],
    "padding": [{"padding": 1.0}, {"padding": 5.0}, {"padding": 15.0}],
    "homoglyphs": [{"strength": 0.1}, {"strength": 0.5}, {"strength": 1.0}],
    "encoded": [{"encoded": 0.4}, {"encoded": 0.7}, {"encoded": 1.0}],
    "chunks": [{"chunks": 2}, {"chunks": 4}, {"chunks": 8}],
    "hydra": [{"mix": 0.5}, {"mix": 0.75}, {"mix": 0.95, "rate": 3.0}],
    "slow": [{"rate": 3.0}, {"rate": 1.0}, {"rate": 0.3}],
    "slow-start": [{"ramp": 3, "growth": 1.5}, {"ramp": 5, "growth": 2.0}, {"ramp": 5, "growth": 3.0}],
    "sharded": [{"shards": 4, "subjects": 4}, {"shards": 8, "subjects": 8}, {"shards": 20, "subjects": 20}],
    "roles": [{"roles": 2}, {"roles": 4}, {"roles": 6}],
    "once": [{"tasks": 60}, {"tasks": 150}, {"tasks": 600}],
    "one-subject": [{"subjects": 3}, {"subjects": 2}, {"subjects": 1}],
    "camouflage": [{"camouflage": 5.0}, {"camouflage": 20.0}, {"camouflage": 50.0}],
    "imitation": [{"loss": 0.0}, {"loss": 0.3}, {"loss": 0.6}],
    "rerouting-bare": [{}, {}, {}],
    "canaries": [{"canaries": 1.0}, {"canaries": 2.0}, {"canaries": 5.0}],
    "stripped": [{}, {}, {}],
    "failover": [{"ban_after": 3}, {"ban_after": 2}, {"ban_after": 1, "pools": 5}],
    "framing": [{"framed": 5, "framed_tasks": 3}, {"framed": 15, "framed_tasks": 5}, {"framed": 15, "framed_tasks": 10}],
}


def toml(plan):
    """The little of TOML that a plan needs."""
    word = lambda value: json.dumps(value) if not isinstance(value, bool) else str(value).lower()
    table = lambda own: "".join(f"{name} = {word(value)}\n" for name, value in own.items())
    out = "[world]\n" + table(plan["world"])
    for part in ("campaign", "benign"):
        out += "".join(f"\n[[{part}]]\n{table(own)}" for own in plan.get(part, []))
    return out


def plan_of(seed):
    """The plan of a world, and the strength of each of its campaigns."""
    plan = json.loads(json.dumps(shipped["evasions" if plan_name == "evasions" else "benchmark"]))
    strengths = {}
    if plan_name == "innocent":
        plan["campaign"] = []
    for number, own in enumerate(plan["campaign"]):
        if plan_name == "campaigns":
            strength = list(STRENGTHS)[(number + seed) % 3]
            own.update(STRENGTHS[strength])
            if own["kind"] in ("queue", "hydra", "failover", "pivot"):
                own["tasks"] = TASKS[strength]
            if own["kind"] == "hydra":
                own["rate"] /= 2
        else:
            level = (number // 2 + seed // 2) % 3
            tasks = {"tasks": 15} if own["kind"] in ("queue", "hydra", "failover", "pivot") else {}
            own.update({"accounts": 30, "rate": 5.0} | tasks | KNOBS[own["name"]][level])
            strength = ", ".join(f"{name} {value}" for name, value in KNOBS[own["name"]][level].items()) or "as it is"
        strengths[own["name"]] = strength
    if plan_name == "evasions":
        plan["campaign"] = plan["campaign"][seed % 2 :: 2]
    scale = days / plan["world"]["days"]
    plan["world"].update({"days": days, "exchanges": int(plan["world"]["exchanges"] * scale)})
    return plan, strengths


def run(*args):
    return subprocess.run([program, *args], check=True, capture_output=True, text=True).stdout


def one(seed):
    """Draws, audits and scores one world."""
    world, store = f"{work}/world", f"{work}/store"
    for path in (world, store):
        shutil.rmtree(path, ignore_errors=True)
    os.makedirs(work, exist_ok=True)
    plan, strengths = plan_of(seed)
    open(f"{work}/plan.toml", "w").write(toml(plan))
    more = ["--texts", texts] if texts else []
    run("simulate", "--plan", f"{work}/plan.toml", "--out", world, "--seed", str(seed), *more)
    # An audit of nothing makes the store, so that the registry is there before the first night.
    os.makedirs(f"{work}/nothing", exist_ok=True)
    run("audit", f"{work}/nothing", "--allow-empty", "--store", store, "--key", key)
    for path in sorted(glob.glob(f"{world}/registry-*.jsonl")):
        kind = pathlib.Path(path).stem.removeprefix("registry-")
        run("registry", "import", path, "--kind", kind, "--store", store, "--key", key)
    logs = [f"{world}/logs/night-{night + 1}.jsonl" for night in range(days)]
    run("audit", *logs, "--store", store, "--key", key, "--timings", f"{work}/timings.json")

    account_of, day_of = {}, {}
    for night, log in enumerate(logs):
        for line in open(log):
            day_of[json.loads(line)["id"]] = night
    sent, by_day = collections.defaultdict(set), collections.defaultdict(collections.Counter)
    groups, classes = collections.defaultdict(set), {}
    for row in csv.DictReader(open(f"{world}/truth.csv")):
        account = account_of[row["exchange_id"]] = row["account"]
        classes[account] = row["class"]
        if row["campaign"]:
            sent[row["campaign"]].add(account)
            by_day[row["campaign"]][day_of[row["exchange_id"]]] += 1
        if row["group"]:
            groups[account].add(row["group"])
    # Whoever's transcripts were bought is innocent.
    planted = {account for name, own in sent.items() if name != "c12-bought" for account in own}
    # Members are of any family; an account that is in none has no pseudonym here, and cannot be listed either.
    name_of = {}
    for row in csv.DictReader(run("export", "members", "--store", store, "--key", key).splitlines()):
        name_of[row["account"]] = account_of[row["exchange_id"]]
    begin = dt.date(2025, 3, 3)
    rings, night_of, rungs, routes = collections.defaultdict(set), {}, {}, {}
    for row in csv.DictReader(run("export", "rings", "--store", store, "--key", key).splitlines()):
        account = name_of.get(row["account"], "?")
        rings[row["ring_id"]].add(account)
        rungs[row["ring_id"]], routes[row["ring_id"]] = row["rung"], row["route"]
        night = (dt.date.fromisoformat(row["confirmed_night"][:10]) - begin).days
        night_of[account] = min(night, night_of.get(account, night))
    meta = json.loads(run("ring", "list", "--store", store, "--format", "json"))["rings_meta"]

    made_of = []
    for ring, own in rings.items():
        wrong = own - planted
        of_groups = collections.Counter(name for account in wrong for name in groups[account] or {"background"})
        of_campaigns = {name: len(members & own) for name, members in sent.items() if len(members & own) >= 3 and name != "c12-bought"}
        # What the ring is of: where most are innocent the group that most of them share, which is what brought them together.
        cause = of_groups.most_common(1)[0][0] if 2 * len(wrong) > len(own) else "campaign"
        made_of.append({"of": cause, "size": len(own), "wrong": len(wrong), "groups": of_groups, "campaigns": of_campaigns, "rung": rungs[ring], "route": routes[ring]})
    # An innocent counts for the worst ring that it is in: one that is mostly innocent before one of a campaign.
    blamed = {}
    for ring, one_ring in zip(rings, made_of):
        for account in rings[ring] - planted:
            if blamed.get(account, "campaign") == "campaign":
                blamed[account] = one_ring["of"]
    # The list from which somebody might act.
    acted = {account for ring, own in rings.items() if rungs[ring] == "second-stream" for account in own}
    campaigns = {}
    for name, own in sent.items():
        listed = own & set(night_of)
        nights = sorted(night_of[account] for account in listed)
        start = min(by_day[name])
        # Detected on the night by which half of those who are listed at all were in a confirmed ring.
        night = nights[len(nights) // 2] if 2 * len(listed) >= len(own) else None
        served = sum(n for day, n in by_day[name].items() if night is not None and day <= night) / sum(by_day[name].values())
        holding = [ring for ring, members in rings.items() if len(members & own) >= 3]
        campaigns[name] = {
            "strength": strengths[name],
            "accounts": len(own),
            "listed": len(listed),
            "acted": len(own & acted),
            "nights": None if night is None else night - start + 1,
            "served": None if night is None else served,
            "rings": len(holding),
        }
    listed = set(night_of)
    return {
        "seed": seed,
        "exchanges": len(account_of),
        "registry": True,
        "campaigns": campaigns,
        "listed": len(listed),
        "right": len(listed & planted),
        "acted": len(acted),
        "acted_right": len(acted & planted),
        "rings": len(rings),
        "made_of": made_of,
        "innocents": collections.Counter(blamed.values()),
        "framed": sum(any(name.startswith("framed") for name in groups[account]) for account in set(night_of) - planted),
        "groups": collections.Counter(name for own in groups.values() for name in own),
        "cpu": {stage["stage"]: round(stage["cpu_s"], 2) for stage in json.load(open(f"{work}/timings.json"))["stages"]},
        "valid": meta["valid"],
        "proposed": meta["proposed"],
        "placebo": meta["placebo"],
    }


def spread(values):
    return f"{sum(values) / len(values):.2f} | {quantile(values, 0.025):.2f} to {quantile(values, 0.975):.2f}"


def main():
    name = plan_name + ("" if days == 5 else f"-{days}") + ("-texts" if texts else "")
    path = f"{work}/{name}.jsonl"
    os.makedirs(work, exist_ok=True)
    done = [json.loads(line) for line in open(path)] if os.path.exists(path) else []
    for seed in range(int(first), int(last) + 1):
        if seed not in {world["seed"] for world in done}:
            world = one(seed)
            done.append(world)
            with open(path, "a") as out:
                out.write(json.dumps(world) + "\n")
            found = sum(2 * own["listed"] >= own["accounts"] for own in world["campaigns"].values())
            print(f"seed {seed}: {world['exchanges']} exchanges, {found} of {len(world['campaigns'])} campaigns, listed {world['listed']}, right {world['right']}, false rings {[(ring['of'], ring['size'], ring['route']) for ring in world['made_of'] if ring['of'] != 'campaign']}", file=sys.stderr, flush=True)
    cells = collections.defaultdict(list)
    for world in done:
        for campaign, own in world["campaigns"].items():
            cells[campaign, own["strength"]].append(own)
    if cells:
        print("| campaign | strength | worlds | recall, mean | middle 95% | at `second-stream` | nights to detection, median | served by then | worlds without |\n|" + "---|" * 9)
    order = {strength: at for at, strength in enumerate(STRENGTHS)}
    of_knob = {(evasion, ", ".join(f"{name} {value}" for name, value in own.items()) or "as it is"): at for evasion, levels in KNOBS.items() for at, own in enumerate(levels)}
    number = lambda campaign: [int(part) if part.isdigit() else part for part in campaign[1:].split("-", 1)] if plan_name == "campaigns" else list(KNOBS).index(campaign)
    for (campaign, strength), worlds in sorted(cells.items(), key=lambda cell: (number(cell[0][0]), order.get(cell[0][1], of_knob.get(cell[0], 0)))):
        recalls = [own["listed"] / own["accounts"] for own in worlds]
        acted = sum(own["acted"] / own["accounts"] for own in worlds) / len(worlds)
        nights = [own["nights"] for own in worlds if own["nights"] is not None]
        served = [own["served"] for own in worlds if own["served"] is not None]
        when = f"{quantile(nights, 0.5):.0f}" if nights else "–"
        how_much = f"{sum(served) / len(served):.2f}" if served else "–"
        print(f"| {campaign} | {strength} | {len(worlds)} | {spread(recalls)} | {acted:.2f} | {when} | {how_much} | {len(worlds) - len(nights)} |")
    groups = sorted({group for world in done for group in world["groups"]} | {"background", "campaign"})
    print("\n| innocent group | accounts of a world | listed by it, mean | middle 95% | rings mostly of it, all worlds: co-use | persistent | of these at `second-stream` |\n|" + "---|" * 7)
    for group in groups:
        sizes = [world["groups"].get(group, 0) for world in done]
        listed = [world["innocents"].get(group, 0) for world in done]
        false = [ring for world in done for ring in world["made_of"] if ring["of"] == group]
        if group in ("background", "campaign"):
            size, name = "the others", {"background": "none of them", "campaign": "in rings that are mostly a campaign's"}[group]
        else:
            size, name = f"{max(sizes)}", group
        routes = [sum(ring["route"] == route for ring in false) for route in ("co-use", "persistent")]
        second = sum(ring["rung"] == "second-stream" for ring in false)
        cells = [*routes, second] if group != "campaign" else ["", "", ""]
        print(f"| {name} | {size} | {spread(listed)} | {' | '.join(map(str, cells))} |")
    right = [world["right"] / world["listed"] for world in done if world["listed"]]
    if right:
        print(f"\naccounts listed that are right: {sum(right) / len(right):.3f} ({quantile(right, 0.025):.3f} to {quantile(right, 0.975):.3f})")
    right = [world["acted_right"] / world["acted"] for world in done if world["acted"]]
    if right:
        print(f"of those on rung second-stream: {sum(right) / len(right):.3f} ({quantile(right, 0.025):.3f} to {quantile(right, 0.975):.3f}), {sum(world['acted'] for world in done)} accounts in {len(done)} worlds, {sum(world['acted'] - world['acted_right'] for world in done)} of them wrong")
    false = [sum(ring["of"] != "campaign" for ring in world["made_of"]) for world in done]
    mixed = sum(len(ring["campaigns"]) > 1 for world in done for ring in world["made_of"])
    print(f"rings: {sum(world['rings'] for world in done)}, mostly innocent {sum(false)} in {sum(n > 0 for n in false)} of {len(done)} worlds; with several campaigns {mixed}")
    cpu = [world["cpu"]["rings"] for world in done]
    print(f"CPU-seconds of the stage of rings: {min(cpu):.1f} to {max(cpu):.1f}, of all stages {min(sum(world['cpu'].values()) for world in done):.1f} to {max(sum(world['cpu'].values()) for world in done):.1f}")
    print(f"lists that were valid: {sum(world['valid'] for world in done)} of {len(done)}; exchanges of a world {min(world['exchanges'] for world in done):,} to {max(world['exchanges'] for world in done):,}")


if __name__ == "__main__":
    main()
