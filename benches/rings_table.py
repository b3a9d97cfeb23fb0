"""Rings against the truth over many seeds: one table, misses beside hits.

    rings_table.py DATA STILLHUNT KEY WORK PLAN FIRST LAST      worlds of rings_world.py with seeds FIRST to LAST, audited in one command each

For each label the mean of the recall over seeds, and the middle 95% of it; precision, rings that are mostly innocent, lists that were valid. Each world is told as it is done, with the table so far.
WORK is a directory for one world at a time. Needs pyarrow.
"""
import json
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from rings_score import quantile, score

data, program, key, work, plan, first, last = sys.argv[1:8]
here = pathlib.Path(__file__).parent
recalls, precision, innocent, valid = {}, [], [], 0


def line(name, values):
    mean = sum(values) / len(values)
    print(f"| {name} | {mean:.3f} | {quantile(values, 0.025):.3f} to {quantile(values, 0.975):.3f} |", flush=True)


def table():
    print(f"\n{len(innocent)} worlds\n\n| | mean over seeds | middle 95% |\n|---|---|---|")
    for label in sorted(recalls):
        line(label, recalls[label])
    line("members that are right", precision)
    line("rings mostly innocent", innocent)
    print(f"\nlists that were valid: {valid} of {len(innocent)}", flush=True)


for seed in range(int(first), int(last) + 1):
    world, store = f"{work}/world", f"{work}/store"
    for path in (world, store):
        shutil.rmtree(path, ignore_errors=True)
    subprocess.run([sys.executable, here / "rings_world.py", data, world, str(seed), "5", plan], check=True, capture_output=True)
    logs = [f"{world}/n{night}.jsonl" for night in range(5)]
    subprocess.run([program, "audit", *logs, "--store", store, "--key", key], check=True, capture_output=True)
    result = score(program, store, world, key)
    listed = subprocess.run([program, "ring", "list", "--store", store, "--format", "json"], check=True, capture_output=True).stdout
    valid += json.loads(listed)["rings_meta"]["valid"]
    own = {}
    for label, (found, size) in result["labels"].items():
        if not label.startswith(("organic", "app", "irc")):
            recalls.setdefault(label, []).append(found / size)
            own[label] = f"{found} of {size}"
    precision.append(result["right"] / max(1, result["members"]))
    innocent.append(result["innocent"])
    made_of = {f"{size} {route}": dict(of.most_common(2)) for (_, route, _), (size, of) in result["rings"].items()}
    print(f"seed {seed}: members {result['members']}, right {precision[-1]:.3f}, rings mostly innocent {innocent[-1]}, {made_of}, found {own}", flush=True)
    # The table so far, so that a run that is stopped has said what it knows.
    table()
