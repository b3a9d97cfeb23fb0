"""The part `similar`: an investigator's question to a store of a million exchanges: opening, answering, the whole command."""

import os
import statistics
import tempfile

from common import texts


def drop(store):
    """Asks the system to forget the pages of every file of a store."""
    for where, _, files in os.walk(store):
        for name in files:
            with open(os.path.join(where, name), "rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(bench):
    meta = bench.export()
    store = bench.args.store
    if not store:
        n = bench.sizes["growth"][-1]
        store = f"{bench.out}/store-{n}"
        if not os.path.exists(store):
            bench.say(f"similar: audit {n}")
            bench.audit(bench.log(n), store)
    size = sum(os.path.getsize(os.path.join(where, name)) for where, _, files in os.walk(store) for name in files)
    stats = bench.stillhunt("store", "stats", "--store", store, "--format", "json")
    told = stats["lines"][0] if stats["lines"] else {}
    rows, n_queries = meta["rows"], bench.sizes["similar"]
    ask = lambda queries, seed: bench.speed("similar", store, bench.set, rows, queries, seed, cores=bench.one, threads=1)["lines"][0]
    cold, warm = [], []
    for seed in range(5):
        drop(store)
        cold.append(ask(1, seed))
        warm.append(ask(1, seed))
    bench.say(f"similar: {n_queries} queries")
    many = ask(n_queries, 7)
    command = {"warm": [], "cold": []}
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        for i, text in enumerate(texts(f"{bench.set}/raw.jsonl", 25)):
            file.seek(0)
            file.truncate()
            file.write(text)
            file.flush()
            kind = "cold" if i < 5 else "warm"
            if kind == "cold":
                drop(store)
            command[kind].append(bench.stillhunt("similar", "--file", file.name, "--store", store, "--key", bench.key))
    middle = lambda lines, key: statistics.median(line[key] for line in lines)
    out = bench.head("similar") + (
        f"## Similar prompts, asked of a store of {size / 1e6:,.0f} MB\n\n"
        + (f"{told.get('exchanges', '?')} exchanges, {told.get('prompts', told.get('distinct_prompts', '?'))} distinct prompts. " if told else "")
        + "Ten nearest with their accounts, families and fragments. In process, on one core and one thread; the model is loaded before the clock starts. *Cold*: the files of the store are dropped from the page cache by "
        "`posix_fadvise(DONTNEED)` first (the disk may have its own cache). Medians of five.\n\n"
        f"| in process | wall ms | CPU ms | target, wall |\n|---|---|---|---|\n"
        f"| opening, cold | {middle(cold, 'open_ms'):.1f} | {middle(cold, 'open_cpu_ms'):.1f} | – |\n"
        f"| opening, warm | {middle(warm, 'open_ms'):.1f} | {middle(warm, 'open_cpu_ms'):.1f} | – |\n"
        f"| first answer, cold | {middle(cold, 'first_ms'):.1f} | | – |\n| first answer, warm | {middle(warm, 'first_ms'):.1f} | | – |\n"
    )
    for key, what, target in (("p50", f"median of {many['queries']:,} real prompts by seed", "–"), ("p90", "90%", "–"), ("p99", "99%", "5"), ("max", "slowest", "–")):
        wall, cpu = many[f"{key}_ms"]
        out += f"| answer, {what} | {wall:.2f} | {cpu:.2f} | {target} |\n"
    out += (
        f"\nOf these prompts {many['stored']:,} are in the store themselves. Peak memory {many['peak'] / 1e6:,.0f} MB.\n\n"
        "| whole command, `similar --file FILE --store DIR` | median ms | slowest | CPU ms | peak MB | target |\n|---|---|---|---|---|---|\n"
    )
    for kind, target in (("warm", "150"), ("cold", "–")):
        runs = command[kind]
        out += f"| {kind}, {len(runs)} prompts | {1e3 * middle(runs, 'wall_s'):.0f} | {1e3 * max(r['wall_s'] for r in runs):.0f} | {1e3 * middle(runs, 'cpu_s'):.0f} | {max(r['peak'] for r in runs) / 1e6:,.0f} | {target} |\n"
    bench.write("speed-similar.md", out)
