"""SemHash end to end on texts in memory: `semhash_peer.py DIR ROWS THRESHOLD MODEL_DIR`.

It is given the texts as the model reads them, folded and spelt, so that both sides have the same vectors and SemHash does not pay for
the fold. Its model reads whole texts (`max_length` None), as ours does. What is timed is `from_records` and
`self_deduplicate`; reading the file and loading the model are not. The neighbours that it judged are kept as it asks for them.
"""

import sys

import numpy as np
from common import Clock, peak, status, tell, texts, workers
from model2vec import StaticModel
from semhash import SemHash

SAMPLED = 10_000


def main():
    where, n, threshold, model_dir = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    records = texts(f"{where}/read.jsonl", n)
    model = StaticModel.from_pretrained(model_dir)
    model.max_length = None
    total, stage, stages = Clock(True), Clock(True), []
    made = SemHash.from_records(records, model=model)
    stages.append(("embed and index", stage.took()))
    stage = Clock(True)
    asked, query = [], made.index.query_threshold
    made.index.query_threshold = lambda *a, **k: asked.append(query(*a, **k)) or asked[-1]
    result = made.self_deduplicate(threshold=threshold)
    stages.append(("join and select", stage.took()))
    took = total.took()
    memory = peak() + sum(status("VmHWM:", pid) for pid, _ in workers())

    # Exact copies among the texts are one item of the index; each of its rows has the item's neighbours and its siblings.
    rows = {}
    for row, text in enumerate(records):
        rows.setdefault(text, []).append(row)
    items = [rows[group[0]["text"]] for group in made.index.items]
    step = -(-n // SAMPLED)
    chosen = np.array([any(row % step == 0 for row in group) for group in items])
    pairs, total_neighbours = [], 0
    for item, (indices, similarities) in enumerate(asked[0]):
        indices = np.asarray(indices, np.int64)[np.asarray(similarities) >= threshold]
        total_neighbours += len(indices) - int(item in indices)
        wanted = indices if chosen[item] else indices[chosen[indices]]
        for other in set(wanted.tolist()) | {item}:
            for a in items[item]:
                pairs += [(a, b) for b in items[other] if a != b and (a % step == 0 or b % step == 0)]
    np.array(pairs, np.uint32).tofile(f"{where}/pairs.semhash.u32")
    tell(engine="semhash", rows=n, **took, stages=stages, neighbours=total_neighbours, selected=len(result.selected), peak=memory, step=step)


main()
