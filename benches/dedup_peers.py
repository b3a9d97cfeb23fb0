"""Near-duplicates of a list in one call: ours, SemHash and text-dedup on the same prompts, one run each in a process of its own, as Markdown.

    python benches/dedup_peers.py PROMPTS.parquet ROWS MODEL_DIR [--python PEERS_PYTHON] > benches/record/dedup-peers.md

PROMPTS.parquet has a column of texts (`prompt` or `text`); nothing of it is printed. Timed is the call, with the texts in memory and the model loaded, except where the call
itself loads it; CPU-seconds are user and system of the process and its workers, memory is the peak of the process. Each engine has its own
notion of a duplicate, so recall is told of three kinds of true pairs, found by brute force for a sample of the rows: cosine of the model's vectors (SemHash's
notion), Jaccard similarity of words in runs of five (text-dedup's), and both at once. A pair is found where both texts are in one group.
"""

import argparse
import json
import os
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
    return table[name].to_pylist()[:n]


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
    """MinHash LSH as text-dedup has it, called in memory: 250 permutations, runs of five words, threshold 0.7."""
    import numpy as np
    from text_dedup.minhash import embed_func
    from text_dedup.utils import optimal_param
    from text_dedup.utils.union_find import UnionFind

    permutations, prime = 250, np.uint64((1 << 61) - 1)
    bands, width = optimal_param(JACCARD, permutations)
    rng = np.random.RandomState(42)
    drawn = np.array([(rng.randint(1, prime, dtype=np.uint64), rng.randint(0, prime, dtype=np.uint64)) for _ in range(permutations)], dtype=np.uint64).T
    yield
    raise NotImplementedError(embed_func, UnionFind, drawn, bands, width)


RUNS = {"stillhunt": run_stillhunt, "semhash": run_semhash, "text-dedup": run_text_dedup}


def child(engine, path, n, model_dir, out):
    rows = texts(path, n)
    steps = RUNS[engine](rows, model_dir)
    next(steps)
    began, used = time.perf_counter(), cpu()
    groups = next(steps)
    took = {"wall_s": time.perf_counter() - began, "cpu_s": cpu() - used, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    json.dump({**took, "groups": groups}, open(out, "w"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("prompts")
    parser.add_argument("rows", type=int)
    parser.add_argument("model")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--engine")
    parser.add_argument("--out")
    args = parser.parse_args()
    if args.engine:
        return child(args.engine, args.prompts, args.rows, args.model, args.out)


if __name__ == "__main__":
    main()
