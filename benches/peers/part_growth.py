"""The part `growth`: the audit of ten times as many exchanges, of ten nights, and beside the least that Python pays to read a log."""

import math
import os
import shutil


def exponent(small, large, n, m):
    return math.log(max(large, 1e-9) / max(small, 1e-9)) / math.log(m / n)


def run(bench):
    sizes, runs = bench.sizes["growth"], []
    for n in sizes:
        logs, store = bench.log(n), f"{bench.out}/store-{n}"
        for again in range(3 if n <= 100_000 else 1):
            shutil.rmtree(store, ignore_errors=True)
            bench.say(f"growth: audit {n}")
            took = bench.audit(logs, store, f"{bench.out}/timings.json") | {"n": n, "bytes": sum(map(os.path.getsize, logs))}
            if again == 0 or took["cpu_s"] < runs[-1]["cpu_s"]:
                runs = [*[r for r in runs if r["n"] != n], took]
    out = bench.head("growth") + (
        "## Growth with the number of exchanges\n\n`simulate --texts prompts.parquet --days 1`, then `audit LOG --store DIR`, a new store each; the best of three up to 100,000, one above. "
        "The exponent is that of the row before: 1 is linear.\n\n| exchanges | log MB | CPU-s | exponent | wall s | exponent | peak MB | exponent |\n|---|---|---|---|---|---|---|---|\n"
    )
    for before, r in zip([None, *runs], runs):
        e = (lambda key: f"{exponent(before[key], r[key], before['n'], r['n']):.2f}") if before else (lambda _: "")
        out += (
            f"| {r['n']:,} | {r['bytes'] / 1e6:,.0f} | {r['cpu_s']:.2f} | {e('cpu_s')} | {r['wall_s']:.2f} | {e('wall_s')} | {r['peak'] / 1e6:,.0f} | {e('peak')} |\n"
        )
    if all("stages" in r for r in runs):
        out += "\nCPU-seconds by stage:\n\n| stage | " + " | ".join(f"{r['n']:,}" for r in runs) + " | exponent of the last step |\n"
        out += "|---|" + "---|" * (len(runs) + 1) + "\n"
        for stage in runs[-1]["stages"]:
            cpu = [r["stages"].get(stage, {}).get("cpu_s", 0.0) for r in runs]
            out += f"| {stage} | " + " | ".join(f"{c:.2f}" for c in cpu) + f" | {exponent(cpu[-2], cpu[-1], runs[-2]['n'], runs[-1]['n']):.2f} |\n"
    n = bench.sizes["floor"]
    floor = min((bench.peer("floor.py", *bench.log(n))["lines"][0] for _ in range(3)), key=lambda line: line["cpu_s"])
    audit = next(r for r in runs if r["n"] == n)
    out += (
        f"\n## Against reading alone\n\nPython's `json.loads`, NFKC and `casefold` of the prompts of the same {n:,} exchanges: {floor['cpu_s']:.2f} CPU-s. The whole audit: {audit['cpu_s']:.2f} CPU-s, "
        f"{audit['cpu_s'] / floor['cpu_s']:.1f} × (target: 12 ×), {audit['peak'] / 1e6:,.0f} MB at most (target: 1,000).\n"
    )
    total, nights = bench.sizes["nights"]
    logs, store = bench.log(total, nights), f"{bench.out}/store-nights"
    shutil.rmtree(store, ignore_errors=True)
    rows = []
    for night, log in enumerate(logs):
        bench.say(f"growth: night {night + 1}")
        whole = bench.audit([log], store, f"{bench.out}/timings.json")
        again = bench.audit([log], store)
        rows.append((sum(1 for _ in open(log, "rb")), whole, again))
    shutil.rmtree(store)
    out += (
        f"\n## {nights} nights into one store\n\nThe same night given again adds nothing and makes the report anew: its cost is taken off for *night without report*.\n\n"
        "| night | rows | CPU-s | the same again | night without report | µs a row | wall s | peak MB |\n|---|---|---|---|---|---|---|---|\n"
    )
    alone = [whole["cpu_s"] - again["cpu_s"] for _, whole, again in rows]
    for night, ((n_rows, whole, again), cpu) in enumerate(zip(rows, alone)):
        out += (
            f"| {night + 1} | {n_rows:,} | {whole['cpu_s']:.2f} | {again['cpu_s']:.2f} | {cpu:.2f} | {1e6 * cpu / n_rows:.1f} | {whole['wall_s']:.2f} "
            f"| {whole['peak'] / 1e6:,.0f} |\n"
        )
    a_row = [cpu / n_rows for (n_rows, _, _), cpu in zip(rows, alone)]
    out += f"\nLast night over the second, report left out: {alone[-1] / alone[1]:.2f} × the CPU, {a_row[-1] / a_row[1]:.2f} × a row (target: 1.5 ×). Every ninth night merges the index.\n"
    if all("stages" in whole for _, whole, _ in rows):
        second, last = rows[1][1]["stages"], rows[-1][1]["stages"]
        out += f"\n| stage, CPU-s | night 2 | night {nights} |\n|---|---|---|\n"
        for stage in last:
            out += f"| {stage} | {second.get(stage, {}).get('cpu_s', 0.0):.2f} | {last[stage]['cpu_s']:.2f} |\n"
    bench.write("speed-growth.md", out)
