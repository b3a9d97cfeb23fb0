"""Python's model2vec on one thread: `embed_peer.py DIR ROWS MODEL_DIR`. The best of two rounds; whole texts, no other processes."""

import sys

import numpy as np
from common import Clock, peak, tell, texts
from model2vec import StaticModel

where, n, model_dir = sys.argv[1], int(sys.argv[2]), sys.argv[3]
read = texts(f"{where}/read.jsonl", n)
model = StaticModel.from_pretrained(model_dir)


def best(work):
    rounds = []
    for _ in range(2):
        clock = Clock()
        out = work()
        rounds.append(clock.took())
    return min(rounds, key=lambda took: took["cpu_s"]), out


took, ids = best(lambda: [model.tokenize(read[i : i + 1024]) for i in range(0, n, 1024)])
tell(engine="model2vec", what="tokenise", rows=n, **took, peak=peak(), count=sum(len(i) for part in ids for i in part))
del ids
took, made = best(lambda: model.encode(read, max_length=None, use_multiprocessing=False))
tell(engine="model2vec", what="embed", rows=n, **took, peak=peak(), count=0)
np.asarray(made, np.float32).tofile(f"{where}/vectors.model2vec.f32")
