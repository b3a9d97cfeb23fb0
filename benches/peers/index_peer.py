"""One index among the peers, built and asked: `index_peer.py DIR ROWS QUERIES THREADS ENGINE FLOOR`.

Engines: hnswlib (M 16, 128 looked at on insertion), faiss-ivf-sq8 (2 √n lists, trained on a quarter), faiss-hnsw32 (flat, its
own defaults). Hits go to files that `run.py` scores. hnswlib has no search by radius: it is asked for 16 neighbours, then four
times as many as long as the last is within the radius. A single query is one call from Python, some microseconds of which are
Python's. Before anything is timed, stored vectors must find themselves.
"""

import os
import sys
import tempfile

import numpy as np
from common import DIM, NEAR, RANGED, Clock, peak, resident, tell, vectors, write_hits

where, n, n_queries, threads, engine, floor = sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5], float(sys.argv[6])
base = vectors(f"{where}/vectors.f32", 0, n)
queries = vectors(f"{where}/vectors.f32", n, n + n_queries)
if engine == "hnswlib":
    import hnswlib
else:
    import faiss

    coarse = faiss.IndexFlatIP(DIM)  # has to live as long as the lists
    faiss.omp_set_num_threads(threads)


def build():
    if engine == "hnswlib":
        index = hnswlib.Index(space="ip", dim=DIM)
        index.init_index(max_elements=n, M=16, ef_construction=128)
        index.add_items(base, num_threads=threads)
        return index
    if engine == "faiss-hnsw32":
        index = faiss.IndexHNSWFlat(DIM, 32, faiss.METRIC_INNER_PRODUCT)
    else:
        index = faiss.IndexIVFScalarQuantizer(coarse, DIM, round(2 * n**0.5), faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT)
        index.train(base[::4])
    index.add(base)
    return index


before, clock = resident(), Clock()
index = build()
took = clock.took()
memory = resident() - before
if engine == "hnswlib":
    with tempfile.TemporaryDirectory() as directory:
        index.save_index(f"{directory}/index")
        serialised = os.path.getsize(f"{directory}/index")
else:
    serialised = len(faiss.serialize_index(index))
same = dict(engine=engine, threads=threads)
tell(kind="build", **same, rows=n, **took, resident=memory, serialised=serialised, peak=peak())


def set_effort(effort):
    if engine == "hnswlib":
        index.set_ef(effort)
    elif engine == "faiss-hnsw32":
        index.hnsw.efSearch = effort
    else:
        index.nprobe = effort


def top(asked, k):
    if engine == "hnswlib":
        return index.knn_query(asked, k=k, num_threads=threads)[0]
    return index.search(asked, k)[1]


def within_by_k(asked, radius, wider):
    """Hits of each query, by asking for more until the last is outside."""
    out, left, k = [None] * len(asked), np.arange(len(asked)), 16
    while len(left):
        index.set_ef(max(wider * k, k))
        labels, distances = index.knn_query(asked[left], k=min(k, n), num_threads=threads)
        inside = 1 - distances >= radius
        done = ~inside[:, -1] | (k >= n // 8)
        for i in np.flatnonzero(done):
            out[left[i]] = labels[i][inside[i]]
        left, k = left[~done], 4 * k
    return out


def within(asked, radius):
    """faiss' own search by radius; its graph fails when it divides the queries itself (1.15.1), so it is given 16 at a time."""
    part, out = 16 if engine == "faiss-hnsw32" else len(asked), []
    for at in range(0, len(asked), part):
        limits, _, labels = index.range_search(asked[at : at + part], radius)
        out += [labels[a:b] for a, b in zip(limits[:-1], limits[1:])]
    return out


def timed(search):
    """The best of three rounds, one where a round takes more than a CPU-second."""
    rounds = []
    while len(rounds) < 3 and (not rounds or rounds[-1]["cpu_s"] <= 1):
        clock = Clock()
        hits = search()
        rounds.append(clock.took())
    return min(rounds, key=lambda took: took["cpu_s"]), hits


def searched(kind, mode, radius, param, took, hits):
    file = f"{where}/hits.{engine}.{threads}.{kind}.{mode}.{radius:.2f}.{param}.u32"
    write_hits(file, [h[h >= 0] if kind == "top10" else h for h in hits])
    tell(kind=kind, **same, mode=mode, radius=radius, param=param, queries=len(hits), **took, file=file, peak=peak())


step = -(-n // 200)
set_effort(256)
own = top(base[::step], 1)[:, 0]
assert np.mean(own == np.arange(0, n, step)) >= 0.8, "stored vectors find themselves"
lists = engine == "faiss-ivf-sq8"
efforts = [1, 2, 4, 8, 16, 32, 64, 128, 256] if lists else [16, 32, 64, 128, 256, 512]
for effort in efforts:
    set_effort(effort)
    searched("top10", "batch", 0.0, effort, *timed(lambda: top(queries, 10)))
ranged = queries[:RANGED]
for radius in (floor, NEAR):
    for effort in [1, 2] if engine == "hnswlib" else efforts + [1024, 2048] * (not lists):
        if engine == "hnswlib":
            searched("range", "batch", radius, effort, *timed(lambda: within_by_k(ranged, radius, effort)))
        else:
            set_effort(effort)
            searched("range", "batch", radius, effort, *timed(lambda: within(ranged, radius)))
if threads == 1:
    for effort in efforts:
        set_effort(effort)
        searched("top10", "single", 0.0, effort, *timed(lambda: [top(ranged[i : i + 1], 10)[0] for i in range(len(ranged))]))
