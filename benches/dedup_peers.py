"""Near-duplicates of a list in one call: ours, SemHash and text-dedup on the same prompts, one run each in a process of its own, as Markdown.

    python benches/dedup_peers.py PROMPTS.parquet ROWS MODEL_DIR [--python PEERS_PYTHON] > benches/record/dedup-peers.md

PROMPTS.parquet has a column of texts (`prompt` or `text`); nothing of it is printed. Timed is the call, with the texts in memory and the model loaded, except where the call
itself loads it; CPU-seconds are user and system of the process and its workers, memory is the peak of the process. Each engine has its own
notion of a duplicate, so recall is told of three kinds of true pairs, found by brute force for a sample of the rows: cosine of the model's vectors (SemHash's
notion), Jaccard similarity of words in runs of five (text-dedup's), and both at once. A pair is found where both texts are in one group. The last column says how many
pairs of a group are of either notion: ours holds templates whose slots differ, which are of neither, so it is no error rate.
"""

import argparse
import json
import os
import random
import re
import resource
import subprocess
import sys
import time
from collections import Counter, defaultdict

COSINE, JACCARD, RUN, SAMPLED = 0.9, 0.7, 5, 5000


def texts(path, n):
    import pyarrow.parquet as parquet

    table = parquet.read_table(path)
    name = next(name for name in ("prompt", "text") if name in table.column_names)
    rows = table[name].to_pylist()
    # Files are sorted by source: a part of each, in their order.
    return [rows[i] for i in sorted(random.Random(1).sample(range(len(rows)), min(n, len(rows))))]


def cpu():
    return sum(getattr(resource.getrusage(who), of) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN) for of in ("ru_utime", "ru_stime"))


def grouped(edges, n):
    """Groups of two or more of a graph."""
    parent = list(range(n))

    def root(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in edges:
        a, b = root(a), root(b)
        parent[max(a, b)] = min(a, b)
    groups = defaultdict(list)
    for i in range(n):
        groups[root(i)].append(i)
    return [group for group in groups.values() if len(group) > 1]


def run_stillhunt(rows, _):
    import stillhunt

    stillhunt.embed(["a"])  # loads the model
    yield
    yield stillhunt.near_duplicates(rows)


def run_semhash(rows, model_dir):
    from model2vec import StaticModel
    from semhash import SemHash

    model = StaticModel.from_pretrained(model_dir)
    model.max_length = None
    yield
    made = SemHash.from_records(rows, model=model)
    result = made.self_deduplicate(threshold=COSINE)
    number = {}
    for i, text in enumerate(rows):
        number.setdefault(text, i)
    edges = [(number[text], i) for i, text in enumerate(rows) if number[text] != i]
    for record in result.filtered:
        edges += [(number[record.record], number[other[0]]) for other in record.duplicates if other[0] in number]
    yield grouped(edges, len(rows))


def run_text_dedup(rows, _):
    """text-dedup's MinHash as its own program has it by default (250 permutations, runs of five words, SHA-1, threshold 0.7), in memory on two processes."""
    import multiprocessing

    import numpy as np
    from text_dedup import minhash
    from text_dedup.utils import optimal_param, sha1_hash

    n_hashes, least_words = 250, RUN
    bands, width = optimal_param(JACCARD, n_hashes, false_positive_weight=0.5, false_negative_weight=0.5)
    prime = np.uint64((1 << 61) - 1)
    settings = dict(
        num_perm=n_hashes, ngram_size=RUN, min_length=least_words, hashranges=[(i * width, (i + 1) * width) for i in range(bands)],
        permutations=(minhash.RNG.randint(1, prime, size=(n_hashes,), dtype=np.uint64), minhash.RNG.randint(0, prime, size=(n_hashes,), dtype=np.uint64)),
        hash_func=lambda data: sha1_hash(data, d=32), dtype=np.uint64, max_hash=np.uint32((1 << 32) - 1), modulo_prime=prime,
    )
    global signed

    def signed(item):
        i, text = item
        return i, minhash.embed_func(text, i, **settings)[minhash.SIGNATURE_COLUMN]

    yield
    wanted = [(i, text) for i, text in enumerate(rows) if len(minhash.NON_ALPHA.split(text.lower())) >= least_words]
    tables = [defaultdict(list) for _ in range(bands)]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        for i, parts in pool.imap(signed, wanted, chunksize=512):
            for table, part in zip(tables, parts):
                table[part].append(i)
    yield grouped([(group[0], other) for table in tables for group in table.values() for other in group[1:]], len(rows))


RUNS = {"stillhunt": run_stillhunt, "semhash": run_semhash, "text-dedup": run_text_dedup}


def child(engine, path, n, model_dir, out):
    rows = texts(path, n)
    steps = RUNS[engine](rows, model_dir)
    next(steps)
    began, used = time.perf_counter(), cpu()
    groups = next(steps)
    took = {"wall_s": time.perf_counter() - began, "cpu_s": cpu() - used, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    json.dump({**took, "groups": groups}, open(out, "w"))


def words(text):
    split = re.split(r"\W", text.lower())
    return {tuple(split[i : i + RUN]) for i in range(len(split) - RUN + 1)}


def truth(rows):
    """Pairs (sampled row, other) of each notion."""
    import numpy as np
    import stillhunt

    vectors = stillhunt.embed(rows)
    step = max(1, len(rows) // SAMPLED)
    chosen = np.arange(0, len(rows), step)
    near = {}
    for part in np.array_split(chosen, max(1, len(chosen) // 250)):
        similarity = vectors[part] @ vectors.T
        for row, other in zip(*np.nonzero(similarity >= COSINE)):
            if part[row] != other:
                near[int(part[row]), int(other)] = float(similarity[row, other])
    holders, runs = defaultdict(list), {}
    for i, text in enumerate(rows):
        runs[i] = words(text)
        for run in runs[i]:
            holders[run].append(i)
    alike = set()
    for row in map(int, chosen):
        shared = Counter(other for run in runs[row] for other in holders[run] if other != row)
        for other, n in shared.items():
            if n / (len(runs[row]) + len(runs[other]) - n) >= JACCARD:
                alike.add((row, other))
    return {"cosine": set(near), "Jaccard": alike, "both": set(near) & alike}, len(chosen)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("prompts")
    parser.add_argument("rows", type=int)
    parser.add_argument("model")
    parser.add_argument("--python", default=sys.executable, help="Python that has semhash and text-dedup")
    parser.add_argument("--engine", choices=RUNS)
    parser.add_argument("--out")
    args = parser.parse_args()
    if args.engine:
        return child(args.engine, args.prompts, args.rows, args.model, args.out)
    import hashlib
    import tempfile

    runs = {}
    with tempfile.TemporaryDirectory() as held:
        for engine in RUNS:
            out = f"{held}/{engine}.json"
            python = sys.executable if engine == "stillhunt" else args.python
            command = [python, __file__, args.prompts, str(args.rows), args.model, "--engine", engine, "--out", out]
            print(f"{engine} …", file=sys.stderr)
            subprocess.run(command, check=True, stdout=sys.stderr)
            runs[engine] = json.load(open(out))
    rows = texts(args.prompts, args.rows)
    true, n_sampled = truth(rows)
    digest = hashlib.sha256(open(args.prompts, "rb").read()).hexdigest()[:16]
    print(f"<!-- benches/dedup_peers.py PROMPTS {len(rows)} MODEL · {time.strftime('%Y-%m-%d')} -->\n")
    print(f"# Near-duplicates of a list in one call\n\n{len(rows):,} real prompts, SHA-256 {digest}…; {os.cpu_count()} cores, shared with other work.\n")
    print(f"{__doc__.split(chr(10) * 2)[2]}\n")
    counted = ", ".join(f"{kind} {len(pairs):,}" for kind, pairs in true.items())
    print(f"True pairs of {n_sampled:,} sampled prompts: {counted}. Cosine from {COSINE}, Jaccard from {JACCARD}.\n")
    print("| engine | CPU-s | wall s | peak MB | groups | texts left over | recall: " + " | recall: ".join(true) + " | of its pairs in either |")
    print("|---|---|---|---|---|---|" + "---|" * (len(true) + 1))
    step = max(1, len(rows) // SAMPLED)
    for engine, run in runs.items():
        group_of = {i: at for at, group in enumerate(run["groups"]) for i in group}
        same = lambda a, b: a in group_of and group_of[a] == group_of.get(b)
        recalls = [f"{sum(same(a, b) for a, b in pairs) / max(len(pairs), 1):.4f}" for pairs in true.values()]
        own = {(a, b) for group in run["groups"] for a in group if a % step == 0 for b in group if a != b}
        either = true["cosine"] | true["Jaccard"]
        precise = f"{len(own & either) / max(len(own), 1):.4f}"
        left = len(rows) - sum(len(group) - 1 for group in run["groups"])
        print(f"| {engine} | {run['cpu_s']:.1f} | {run['wall_s']:.1f} | {run['peak'] / 1e6:,.0f} | {len(run['groups']):,} | {left:,} | " + " | ".join(recalls) + f" | {precise} |")


if __name__ == "__main__":
    main()
