"""The part `semhash`: near-duplicates end to end, ours, SemHash and the whole audit, with the recall of pairs against brute force."""

import json
import os
import shutil

import numpy as np
from common import texts, vectors

THRESHOLD, TOLERANCE, MOST = 0.9, 0.002, 1000


def truth(bench, n, step):
    """Keys `row * n + other` and similarities of all pairs of every `step`-th row at or just under the threshold."""
    rows = vectors(f"{bench.set}/vectors.f32", 0, n)
    keys, similarities = [], []
    for first in range(0, n, 200 * step):
        chosen = np.arange(first, min(first + 200 * step, n), step)
        near = rows[chosen] @ rows.T
        near[np.arange(len(chosen)), chosen] = -1
        i, j = np.nonzero(near >= THRESHOLD - 0.02)
        keys.append(chosen[i] * n + j)
        similarities.append(near[i, j])
    return np.concatenate(keys), np.concatenate(similarities)


def score(bench, engine, n, step, exact):
    """Recall of true pairs: mean over prompts, over all pairs, over pairs of prompts with at most a thousand; wrong pairs."""
    keys, similarities = exact
    pairs = np.fromfile(f"{bench.set}/pairs.{engine}.u32", np.uint32).reshape(-1, 2).astype(np.int64)
    a, b = pairs[:, 0], pairs[:, 1]
    found = np.unique(np.concatenate([(a * n + b)[a % step == 0], (b * n + a)[b % step == 0]]))
    must = similarities >= THRESHOLD + TOLERANCE
    hit, row = np.isin(keys[must], found), keys[must] // n
    all_of, hit_of = np.bincount(row, minlength=n), np.bincount(row, weights=hit, minlength=n)
    has = all_of > 0
    few = has & (all_of <= MOST)
    allowed = keys[similarities >= THRESHOLD - TOLERANCE]
    return {
        "prompts": int(has.sum()),
        "mean": float((hit_of[has] / all_of[has]).mean()),
        "few": float(hit_of[few].sum() / all_of[few].sum()),
        "all": float(hit_of.sum() / all_of.sum()),
        "wrong": float(1 - np.isin(found, allowed).mean()) if len(found) else 0.0,
        "pairs": int(must.sum()),
    }


def audited(bench, n):
    """The whole command on the same prompts as a log, each of an account of its own."""
    log, store = f"{bench.out}/semhash-{n}.jsonl", f"{bench.out}/semhash-store"
    with open(log, "w") as file:
        for row, text in enumerate(texts(f"{bench.set}/raw.jsonl", n)):
            file.write(json.dumps({"id": f"r{row}", "account": f"a{row}", "time": 1_740_960_000 + row // 4, "prompt": text}) + "\n")
    shutil.rmtree(store, ignore_errors=True)
    took = bench.audit([log], store)
    shutil.rmtree(store)
    os.remove(log)
    return took


def middle(runs):
    """The run of the median CPU."""
    return sorted(runs, key=lambda run: run["cpu_s"])[len(runs) // 2]


def run(bench):
    meta = bench.export()
    out = bench.head("semhash", ["semhash", "model2vec", "usearch", "vicinity", "numpy"])
    out += (
        "## Near-duplicates end to end, against SemHash\n\n"
        f"Texts in memory in; the neighbours of every prompt at cosine {THRESHOLD} or above, at most {MOST:,}, and a selection without duplicates "
        "out. Same prompts, same model, same vectors (SemHash is given folded texts, ours folds them). Reading the file and loading the model "
        "are timed for neither; the whole `audit` reads a log, judges, counts accounts, finds fragments and commits a store besides. "
        f"Recall: of the pairs of 10,000 prompts (all, where there are fewer) at {THRESHOLD + TOLERANCE} or above by brute force in f32, found from either side; *mean* over prompts, "
        f"*pairs* over all of them, *few* over those of prompts with at most {MOST:,}. *Wrong*: pairs below {THRESHOLD - TOLERANCE}.\n\n"
        "| prompts | what | CPU-s | wall s | peak MB | recall, mean | few | pairs | wrong | selected |\n|---|---|---|---|---|---|---|---|---|---|\n"
    )
    ratios, stages = [], []
    for n in bench.sizes["semhash"]:
        n = min(n, meta["rows"])
        repeat = 3 if n <= 100_000 else 1
        bench.say(f"semhash: {n} prompts")
        ours = middle([bench.speed("dedup", bench.set, n, THRESHOLD)["lines"][0] for _ in range(repeat)])
        theirs = middle([bench.peer("semhash_peer.py", bench.set, n, THRESHOLD, bench.args.model)["lines"][0] for _ in range(repeat)])
        whole = middle([audited(bench, n) for _ in range(repeat)])
        exact = truth(bench, n, ours["step"])
        scores = {line["engine"]: score(bench, line["engine"], n, line["step"], exact) for line in (ours, theirs)}
        if scores["stillhunt"]["mean"] < 0.8 or scores["semhash"]["mean"] < 0.5:
            raise SystemExit(f"semhash: these are no answers: {scores}")
        for name, line in (("ours", ours), ("SemHash", theirs)):
            s = scores[line["engine"]]
            out += (
                f"| {n:,} | {name} | {line['cpu_s']:.2f} | {line['wall_s']:.2f} | {line['peak'] / 1e6:,.0f} | {s['mean']:.4f} | {s['few']:.4f} "
                f"| {s['all']:.4f} | {s['wrong']:.1e} | {line['selected']:,} |\n"
            )
            stages += [f"| {n:,} | {name} | {stage} | {t['cpu_s']:.2f} | {t['wall_s']:.2f} |\n" for stage, t in line["stages"]]
        out += f"| {n:,} | whole `audit` | {whole['cpu_s']:.2f} | {whole['wall_s']:.2f} | {whole['peak'] / 1e6:,.0f} | | | | | |\n"
        ratio = lambda key, line: theirs[key] / line[key]
        ratios.append(
            f"| {n:,} | {ratio('cpu_s', ours):.1f} × | {ratio('wall_s', ours):.1f} × | {theirs['peak'] / ours['peak']:.1f} × "
            f"| {ratio('cpu_s', whole):.1f} × | {ratio('wall_s', whole):.1f} × |\n"
        )
    out += "\nSemHash's cost over ours (target: 10 × in CPU and wall at no lower recall), and over the whole audit's:\n\n"
    out += "| prompts | CPU | wall | peak memory | CPU, audit | wall, audit |\n|---|---|---|---|---|---|\n" + "".join(ratios)
    out += f"\nMedian of three runs up to 100,000 prompts, one run above. Recall over {scores['stillhunt']['prompts']:,} prompts that have a neighbour.\n"
    out += "\n| prompts | what | stage | CPU-s | wall s |\n|---|---|---|---|---|\n" + "".join(stages)
    bench.write("speed-semhash.md", out)
