"""The part `index`: building and asking an index of all prompts, ours and five others, scored against the exact answer."""

import csv
import io
import os

import numpy as np
from chart import chart
from common import NEAR, RANGED, read_hits, vectors

TIE = 2e-3
NAMES = {"lists": "ours", "graph": "hnsw_rs", "hnswlib": "hnswlib", "faiss-ivf-sq8": "faiss IVF-SQ8", "faiss-hnsw32": "faiss HNSW32"}


class Exact:
    """The exact answers, in f32."""

    def __init__(self, bench, n, n_queries, floor):
        path = f"{bench.set}/vectors.f32"
        self.base, self.queries = vectors(path, 0, n), vectors(path, n, n + n_queries)
        tenth, keys, similarities = [], [], []
        for first in range(0, n_queries, 500):
            near = self.queries[first : first + 500] @ self.base.T
            tenth.append(-np.partition(-near, 9, axis=1)[:, 9])
            if first < RANGED:
                i, j = np.nonzero(near[: RANGED - first] >= min(floor, NEAR) + TIE)
                keys.append((i + first) * n + j)
                similarities.append(near[i, j])
        self.tenth, self.n = np.concatenate(tenth), n
        self.keys, self.similarities = np.concatenate(keys), np.concatenate(similarities)

    def top(self, line):
        counts, ids = read_hits(line["file"], line["queries"])
        query = np.repeat(np.arange(len(counts)), counts)
        good = self.similarity(query, ids) >= self.tenth[query] - TIE
        return {"recall": float(np.minimum(np.bincount(query, weights=good, minlength=len(counts)), 10).mean() / 10)}

    def similarity(self, query, ids):
        out = np.empty(len(ids), np.float32)
        for at in range(0, len(ids), 1 << 18):
            part = slice(at, at + (1 << 18))
            out[part] = np.einsum("ij,ij->i", self.queries[query[part]], self.base[ids[part]])
        return out

    def within(self, line):
        """Mean over the queries that have neighbours, and over all pairs."""
        counts, ids = read_hits(line["file"], line["queries"])
        query = np.repeat(np.arange(len(counts)), counts)
        # Rounding to int8 moves a similarity by less than 0.005 (src/index/vectors.rs).
        if len(ids) and (low := self.similarity(query[:: 50], ids[::50]).min()) < line["radius"] - 0.006:
            raise SystemExit(f"index: {line['engine']} gave a neighbour at {low}, outside {line['radius']}")
        must = self.keys[self.similarities >= line["radius"] + TIE]
        hit, row = np.isin(must, query * self.n + ids), must // self.n
        all_of, hit_of = np.bincount(row, minlength=len(counts)), np.bincount(row, weights=hit, minlength=len(counts))
        has = all_of > 0
        return {"recall": float((hit_of[has] / all_of[has]).mean()), "pairs": float(hit_of.sum() / all_of.sum())}


def measure(bench, n, n_queries, floor):
    exact, builds, points = Exact(bench, n, n_queries, floor), [], []
    for threads in (1, len(os.sched_getaffinity(0))):
        for engine in NAMES:
            bench.say(f"index: {engine}, {threads} threads")
            how = {"cores": bench.one if threads == 1 else None, "threads": threads}
            if engine in ("lists", "graph"):
                told = bench.speed("index", bench.set, n, n_queries, threads, engine, floor, **how)
            else:
                told = bench.peer("index_peer.py", bench.set, n, n_queries, threads, engine, floor, **how)
            for line in told["lines"]:
                if line["kind"] == "build":
                    builds.append(line)
                    continue
                line |= exact.top(line) if line["kind"] == "top10" else exact.within(line)
                line |= {"per_cpu_s": line["queries"] / line["cpu_s"], "per_s": line["queries"] / line["wall_s"]}
                points.append(line)
            for file in {line["file"] for line in told["lines"] if "file" in line}:
                os.remove(file)
            best = max((line["recall"] for line in told["lines"] if line["kind"] == "top10"))
            if best < 0.9:
                raise SystemExit(f"index: {engine} finds {best} of the ten nearest at most: these are no answers")
    return builds, points


def select(points, kind, mode, threads, radius=0.0):
    chosen = [p for p in points if (p["kind"], p["mode"], p["threads"]) == (kind, mode, threads) and abs(p["radius"] - radius) < 1e-4]
    return {engine: [p for p in chosen if p["engine"] == engine] for engine in NAMES}


def fastest(points, recall, key):
    return max((p for p in points if p["recall"] >= recall), key=lambda p: p[key], default=None)


def run(bench):
    meta = bench.export()
    n, n_queries = bench.sizes["index"]
    floor = round(meta["floor"], 4)
    builds, points = measure(bench, n, n_queries, floor)
    cores = len(os.sched_getaffinity(0))
    out = bench.head("index", ["hnswlib", "faiss-cpu", "numpy"]) + (
        f"## An index of {n:,} prompts\n\n"
        f"Unit vectors of {meta['dim']} numbers of distinct real prompts by our model; {n_queries:,} other prompts ask. hnswlib: M 16, 128 looked at on insertion; "
        "faiss IVF-SQ8: 2 √n lists, trained on a quarter; faiss HNSW32: flat, its defaults; hnsw_rs 0.3 over all prompts: M 16, 128, with our "
        "int8 kernel as its distance, row numbers as its points.\n\n"
        "*Serialised* is the index as a file, *resident* what the process grew by while it was built (freed memory that the allocator "
        "keeps is in it). hnsw_rs' file holds row numbers, to which the int8 rows are added.\n\n"
        "| build | threads | inserts / CPU-s | CPU-s | wall s | bytes a vector, serialised | resident | peak MB of the process |\n|---|---|---|---|---|---|---|---|\n"
    )
    for b in builds:
        out += (
            f"| {NAMES[b['engine']]} | {b['threads']} | {n / b['cpu_s']:,.0f} | {b['cpu_s']:.2f} | {b['wall_s']:.2f} | {b['serialised'] / n:,.0f} "
            f"| {b['resident'] / n:,.0f} | {b['peak'] / 1e6:,.0f} |\n"
        )
    asks = [
        ("top ten, batched, 1 thread", "per_cpu_s", select(points, "top10", "batch", 1)),
        ("top ten, one query at a time, 1 thread", "per_cpu_s", select(points, "top10", "single", 1)),
        (f"top ten, batched, {cores} threads, by wall", "per_s", select(points, "top10", "batch", cores)),
        (f"all within {floor}, batched, 1 thread", "per_cpu_s", select(points, "range", "batch", 1, floor)),
        (f"all within {NEAR}, batched, 1 thread", "per_cpu_s", select(points, "range", "batch", 1, NEAR)),
        (f"all within {floor}, batched, {cores} threads, by wall", "per_s", select(points, "range", "batch", cores, floor)),
    ]
    out += (
        "\nSearches are the best of three rounds, of one where a round takes more than a CPU-second. Queries a CPU-second (a second, where it says so) at the fastest setting whose recall is at least that; – where none has it. Recall of the ten "
        f"nearest forgives ties within {TIE}; recall within a radius is of true neighbours, {TIE} or more inside, the mean over those of {min(RANGED, n_queries):,} queries that have any; "
        "hnsw_rs and hnswlib have no search by radius and are asked for more until the last is outside.\n\n"
        f"| what | recall | {' | '.join(NAMES.values())} | ours over the best peer |\n|---|---|{'---|' * len(NAMES)}---|\n"
    )
    for what, key, by_engine in asks:
        for recall in (0.9, 0.95, 0.99):
            best = {engine: fastest(found, recall, key) for engine, found in by_engine.items()}
            peers = [p[key] for engine, p in best.items() if p and engine != "lists"]
            ratio = f"{best['lists'][key] / max(peers):.2f} ×" if peers and best["lists"] else "–"
            cells = [f"{p[key]:,.0f}" if p else "–" for p in best.values()]
            out += f"| {what} | {recall} | {' | '.join(cells)} | {ratio} |\n"
    charts = [
        ("speed-index-top10.svg", "Ten nearest, batched, one thread", asks[0]),
        ("speed-index-single.svg", "Ten nearest, one query at a time, one thread", asks[1]),
        ("speed-index-range.svg", f"All within {floor}, batched, one thread", asks[3]),
        ("speed-index-threads.svg", f"Ten nearest, batched, {cores} threads", asks[2]),
    ]
    out += "\nEvery point is in `speed-index.csv`.\n\n"
    for name, title, (_, key, by_engine) in charts:
        series = [(NAMES[engine], [(p["recall"], p[key]) for p in found]) for engine, found in by_engine.items()]
        bench.write(name, chart(title, f"{n:,} prompts", "recall", "queries a CPU-second" if key == "per_cpu_s" else "queries a second", series))
        out += f"![{title}: recall against speed]({name})\n"
    table = io.StringIO()
    fields = ["engine", "threads", "kind", "mode", "radius", "param", "recall", "pairs", "queries", "cpu_s", "wall_s", "per_cpu_s", "per_s"]
    writer = csv.DictWriter(table, fields, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for p in points:
        writer.writerow({k: round(v, 5) if isinstance(v, float) else v for k, v in (p | {"engine": NAMES[p["engine"]]}).items()})
    bench.write("speed-index.csv", table.getvalue())
    bench.write("speed-index.md", out)
