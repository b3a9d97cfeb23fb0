"""Measures how well known peers find a fixed fragment shared by otherwise different prompts.

For comparing our own fragment finder with: a suffix array (pydivsufsort), which finds every repeated text, and MinHash
with LSH (datasketch, rensa), which finds near-equal texts and so should miss a fragment that is a twentieth of its prompt.

How to run: `benches/fragments_peers.sh [DIR]` makes a venv in DIR, installs the pinned packages and runs both steps, or
    fragments_peers.py make --prompts prompts.parquet --out DIR [--rows N] [--seed S]   rows.jsonl and fragments.csv
    fragments_peers.py run --data DIR [--peers NAMES] [--subset M] [--json FILE]            a Markdown table on stdout

Each peer is a child process; its CPU seconds (user and system, all threads), wall seconds and peak memory are the kernel's
account of that child. They include reading and folding the rows; the row `read` is that part alone.

Weakness: the background is 0.43 distinct prompts a row and joins of two to four of them for the rest, so long texts recur
by construction. A prompt of 60 characters or more is put whole into at most four rows, so that what five rows share is a
template of the data or a plant; yet a template is met up to four times as often as in the source. Lengths are bytes of
UTF-8, so 60 is 20 Chinese characters. A planted text is kept letter by letter: nothing here measures edits.
The suffix array tells every left-maximal run and merges none, so one fragment comes several times, with what stands
before it in a few rows. The MinHash peers see 5-word shingles, 128 permutations, threshold 0.5, and a row counts as found
when the index gives any other row of its campaign, right or by chance, which favours them. Their bands differ: datasketch
picks 25 of 5, rensa takes only divisors of 128 and gets 32 of 4. datasketch, the slow one, gets a subset unless told
otherwise; in a subset every campaign keeps its share of the rows and at least 20.
"""

import argparse
import csv
import hashlib
import importlib.metadata
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict

MIN_TEXT, MIN_PROMPTS, MIN_OVERLAP = 60, 5, 40
CAMPAIGNS, SMALLEST, LARGEST, ACCOUNTS = 20, 5, 5000, 100_000
SHARE = 0.05  # of a planted prompt's length is the fragment
WORDS = """amber anchor apricot badger barley basil beacon birch bishop blanket bramble brass bucket butter candle canyon
carpet cedar cellar chalk cherry cinder clover cobalt copper coral cotton cradle crimson crystal dagger dolphin drizzle
ember falcon feather fennel ferry fiddle flannel flint forest fossil garnet ginger glacier goblet gravel hammer harbor
harvest hazel helmet heron hollow honey indigo iron island ivory jacket jasmine juniper kettle lantern lavender ledger
lemon lilac linen lizard magnet maple marble meadow mirror mosaic mustard nectar needle nickel nutmeg oatmeal olive onyx
orchard otter oyster paddle parsley pebble pepper pigeon pillow plum pocket poplar quarry quartz rabbit radish raven
ribbon river rocket saddle saffron salmon sandal sapphire scarlet shovel silver sparrow spindle spruce tangerine teapot
thimble thistle thunder timber tulip turnip turtle umbrella valley vanilla velvet violin walnut whistle willow winter""".split()
SENTENCES = [
    "show every step of your {} inside {} tags, one {} a line",
    "before the {} comes the {}; write the {} in full and number it",
    "answer twice, once as {} and once as {}, then weigh the {}",
    "print each {} you considered under the heading {} and {}",
    "spell out what the {} told the {}, with no {} left aside",
    "number all {} thoughts from first to last, then close with {} {}",
    "think aloud in {} and {} until the {} is settled, hide nothing",
    "repeat the {} above word for word, then add {} notes on {}",
    "give the {} draft, the {} critique and the {} rewrite, all three",
    "list what you rejected and why, each after a {} mark, {} or {}",
]


def fold(text):
    return " ".join(text.lower().split())


def write_fragments(rng):
    """Texts of 60 to 80 characters, in turn a sentence and random words; no two share 30 characters."""
    out, seen = [], set()
    while len(out) < CAMPAIGNS:
        text = SENTENCES[len(out) // 2].format(*rng.sample(WORDS, 3))
        if len(out) % 2:
            text = " ".join(rng.sample(WORDS, 12))[: rng.randint(62, 80)].rsplit(" ", 1)[0]
        grams = {text[i : i + 30] for i in range(len(text) - 29)}
        if 60 <= len(text) <= 80 and not grams & seen:
            out.append(text)
            seen |= grams
    return out


def plant(rng, fragment, host):
    """Puts the fragment at the start, the end, or a word boundary of the host."""
    place = rng.randrange(3)
    gaps = [m.start() for m in re.finditer(r"\s", host)] if place == 1 else []
    if gaps:
        at = rng.choice(gaps)
        return f"{host[:at]} {fragment}{host[at:]}"
    return f"{fragment}\n\n{host}" if place == 0 else f"{host} {fragment}"


def make(args):
    """Writes rows.jsonl and fragments.csv; the same prompts, rows and seed give the same bytes."""
    if not os.path.exists(args.prompts):
        return print(f"skipped: make (no {os.path.basename(args.prompts)})")
    import pyarrow.parquet as pq

    rng = random.Random(args.seed)
    table = pq.read_table(args.prompts, columns=["text", "source", "kind"])
    texts, made = [], set()  # made: eight-byte digests of what is taken, so that all rows differ after folding

    def is_new(text):
        digest = hashlib.blake2b(fold(text).encode(), digest_size=8).digest()
        return not (digest in made or made.add(digest))

    for text, source, kind in zip(*(table.column(c).to_pylist() for c in ("text", "source", "kind"))):
        if kind != "probe" and source != "hh-rlhf-harmless" and text.strip() and is_new(text):
            texts.append(text)
    del table

    def shuffled(items):
        items = list(items)
        rng.shuffle(items)
        return items

    # Decks, so that reuse is even: one pass of all prompts for hosts, two of the long and any number of the short for joins.
    n_all = range(len(texts))
    short = [i for i in n_all if len(texts[i].encode()) < MIN_TEXT]
    long = [i for i in n_all if len(texts[i].encode()) >= MIN_TEXT]
    largest = min(LARGEST, max(SMALLEST, args.rows // 200))
    kinds, names, owners = [], shuffled(range(ACCOUNTS + CAMPAIGNS * largest)), []
    for c in range(CAMPAIGNS):
        for _ in range(round(SMALLEST * (largest / SMALLEST) ** (c / (CAMPAIGNS - 1)))):
            owners.append(names.pop())
            kinds += [(c, owners[-1])] * rng.randint(1, 3)
    n_joined = args.rows - len(kinds) - min(len(texts), int(0.43 * args.rows))
    n_plain = args.rows - len(kinds) - n_joined
    n_pieces = sum(sizes := [rng.randint(2, 4) for _ in range(n_joined)])
    n_long = min(2 * len(long), n_pieces // 2)
    joins = (long * 2)[:n_long] if n_long == 2 * len(long) else rng.sample(long * 2, n_long)
    joins = shuffled(joins + [short[rng.randrange(len(short))] for _ in range(n_pieces - n_long)])
    plain, hosts = shuffled(n_all)[:n_plain], shuffled(n_all)
    kinds = shuffled(kinds + [None] * n_plain + [()] * n_joined)
    fragments, others = write_fragments(rng), names[:ACCOUNTS]

    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "fragments.csv"), "w", newline="") as file:
        csv.writer(file).writerows([("campaign", "fragment"), *enumerate(fragments)])
    with open(os.path.join(args.out, "rows.jsonl"), "w") as file:
        for row, kind in enumerate(kinds):
            campaign, account = kind or (None, rng.choice(others))
            if kind is None:
                prompt = texts[plain.pop()]
            elif kind == ():
                picks = [joins.pop() for _ in range(sizes.pop())]
                while not is_new(prompt := "\n\n".join(texts[i] for i in picks)):
                    picks[-1] = short[rng.randrange(len(short))]
            else:
                length, host = round(len(fragments[campaign]) * (1 / SHARE - 1) * rng.uniform(0.9, 1.1)), ""
                while len(host) < length:
                    hosts = hosts or shuffled(n_all)
                    host += ("\n\n" if host else "") + texts[hosts.pop()]
                prompt = plant(rng, fragments[campaign], host[:length].rsplit(None, 1)[0])
            record = {"id": f"r{row:07}", "account": f"a{account:06}", "prompt": prompt, "fragment": campaign}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    size = os.path.getsize(os.path.join(args.out, "rows.jsonl"))
    planted = sum(1 for k in kinds if k)
    print(f"{len(kinds)} rows, {planted} planted in {CAMPAIGNS} campaigns of {len(owners)} accounts, {size / 1e6:.1f} MB")


def read(args):
    """Yields (row, folded prompt, campaign or -1); on a subset, a campaign's first 20 rows and a seeded share of the rest."""
    rng, met = random.Random(1), Counter()
    with open(os.path.join(args.data, "rows.jsonl")) as file:
        row = 0
        for line in file:
            record = json.loads(line)
            campaign = -1 if record["fragment"] is None else record["fragment"]
            met[campaign] += 1
            if rng.random() < args.keep or (campaign >= 0 and met[campaign] <= 20):
                yield row, fold(record["prompt"]), campaign
                row += 1


def read_alone(args):
    """The part of every peer's cost that is not the peer's."""
    return {"rows": sum(1 for _ in read(args)), "reported": "nothing"}


def suffix_array(args):
    """Maximal runs of suffixes with a common prefix of 60, left-maximal, that hold at least five distinct prompts."""
    import numpy as np
    from pydivsufsort import divsufsort, kasai

    buffer, starts, campaigns = bytearray(b"\xff"), [], []  # 0xff is in no UTF-8 text
    for _, text, campaign in read(args):
        starts.append(len(buffer))
        campaigns.append(campaign)
        buffer += text.encode() + b"\xff"
    with open(os.path.join(args.data, "fragments.csv"), newline="") as file:
        fragments = [fold(row["fragment"]).encode() for row in csv.DictReader(file)]
    chars, starts, campaigns = np.frombuffer(buffer, np.uint8), np.array(starts), np.array(campaigns)
    order = divsufsort(chars)
    common = kasai(chars, order)  # common[i]: of the suffixes order[i] and order[i + 1]
    inside = np.ones(len(chars), bool)  # false where fewer than MIN_TEXT bytes are left of the prompt
    inside[:1] = False
    for back in range(MIN_TEXT):
        inside[np.append(starts[1:], len(chars)) - 1 - back] = False
    joined = np.zeros(len(chars) + 1, np.int8)  # 1 at i + 1: the suffixes i and i + 1 are of one run
    for at in range(0, len(chars), 1 << 24):
        block = slice(at, at + (1 << 24))
        joined[1:][block] = (common[block] >= MIN_TEXT) & inside[order[block]]
    edges = np.diff(joined)
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)  # both of the run
    del inside, joined, edges
    wide = last - first + 1 >= MIN_PROMPTS
    first, size = first[wide], (last - first + 1)[wide]

    n_runs, n_planted, found = 0, 0, defaultdict(set)
    batch = np.cumsum(size) // (1 << 22)
    for cut in np.split(np.arange(len(size)), np.flatnonzero(np.diff(batch)) + 1):
        if not len(cut):
            continue
        run = np.repeat(np.arange(len(cut)), size[cut])
        at = np.cumsum(size[cut]) - size[cut]
        place = order[np.arange(len(run)) - np.repeat(at - first[cut], size[cut])]
        before = chars[place - 1]
        low, high = np.minimum.reduceat(before, at), np.maximum.reduceat(before, at)
        grows = ((low == high) & (high < 0xFF))[run]  # all have the same byte before: a longer run says it
        run, place = run[~grows], place[~grows]
        prompt = np.searchsorted(starts, place, "right") - 1
        pair = np.unique(run * len(starts) + prompt)
        run, prompt = pair // len(starts), pair % len(starts)
        many = np.bincount(run, minlength=len(cut)) >= MIN_PROMPTS
        n_runs += int(many.sum())
        # The score, no part of the search: the runs with a planted prompt whose text has 40 bytes of that fragment.
        hit = many[run] & (campaigns[prompt] >= 0)
        members = defaultdict(list)
        for r, p in zip(run[hit].tolist(), prompt[hit].tolist()):
            members[r].append(p)
        for r, prompts in members.items():
            head, n = first[cut[r]], size[cut[r]]
            text = buffer[order[head] : order[head] + common[head : head + n - 1].min()].split(b"\xff")[0]
            told = {c for c in {int(campaigns[p]) for p in prompts} if overlaps(fragments[c], text)}
            n_planted += bool(told)
            for p in prompts:
                if int(campaigns[p]) in told:
                    found[int(campaigns[p])].add(p)
    return {
        "rows": len(starts),
        "recall": shares({c: len(f) for c, f in found.items()}, Counter(campaigns.tolist())),
        "reported": f"{n_runs:,} intervals, {n_planted:,} of them of a plant ({len(chars) / 1e6:,.0f} MB of text)",
        "n_reported": n_runs,
    }


def overlaps(fragment, text):
    return any(fragment[i : i + MIN_OVERLAP] in text for i in range(len(fragment) - MIN_OVERLAP + 1))


def shares(found, rows):
    return {c: found.get(c, 0) / n for c, n in sorted(rows.items()) if c >= 0}


def shingles(text):
    words = text.split()
    return [" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))]


def linked(args, query_and_insert):
    """Asks for each row's earlier neighbours, then adds it; a link counts for both its ends."""
    campaigns, any_link, own_link, n_links = [], set(), set(), 0
    for row, neighbours in query_and_insert((row, shingles(text)) for row, text, c in read(args) if not campaigns.append(c)):
        n_links += len(neighbours)
        if neighbours:
            any_link.add(row)
            any_link.update(neighbours)
            if campaigns[row] >= 0 and (own := [n for n in neighbours if campaigns[n] == campaigns[row]]):
                own_link.update(own, [row])
    return {
        "rows": len(campaigns),
        "recall": shares(Counter(campaigns[row] for row in own_link), Counter(campaigns)),
        "reported": f"{len(any_link):,} rows in {n_links:,} links",
        "n_reported": len(any_link),
    }


def datasketch(args):
    from datasketch import MinHash, MinHashLSH

    def query_and_insert(rows):
        index = MinHashLSH(threshold=0.5, num_perm=128)
        for row, tokens in rows:
            sketch = MinHash(num_perm=128)
            sketch.update_batch([t.encode() for t in tokens])
            yield row, index.query(sketch)
            index.insert(row, sketch, check_duplication=False)

    return linked(args, query_and_insert)


def rensa(args):
    from rensa import RMinHash, RMinHashLSH

    def query_and_insert(rows):
        index = RMinHashLSH(threshold=0.5, num_perm=128, num_bands=32)
        while batch := list(itertools.islice(rows, 10_000)):
            sketches = RMinHash.from_token_sets([tokens for _, tokens in batch], num_perm=128, seed=42)
            for (row, _), sketch in zip(batch, sketches):
                yield row, index.query(sketch)
                index.insert(row, sketch)

    return linked(args, query_and_insert)


# name, what runs, whether it gets all rows
PEERS = {
    "read": (read_alone, True),
    "pydivsufsort": (suffix_array, True),
    "datasketch": (datasketch, False),
    "rensa": (rensa, True),
}


def peer(args):
    try:
        print(json.dumps(PEERS[args.name][0](args)))
    except ImportError as error:
        print(json.dumps({"skipped": f"{error.name} is not installed"}))


def run(args):
    path = os.path.join(args.data, "rows.jsonl")
    if not os.path.exists(path):
        return print("skipped: run (no rows.jsonl; `make` writes it)")
    with open(path, "rb") as file:
        n_rows = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
    results = []
    for name in args.peers.split(","):
        keep = 1.0 if PEERS[name][1] else min(1.0, args.subset / n_rows)
        command = [sys.executable, __file__, "peer", name, "--data", args.data, "--keep", repr(keep)]
        with tempfile.TemporaryFile("w+") as out:
            started = time.monotonic()
            child = subprocess.Popen(command, stdout=out)
            _, status, usage = os.wait4(child.pid, 0)
            wall = time.monotonic() - started
            child.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            result = json.loads(out.read()) if child.returncode == 0 else {"skipped": f"exit status {child.returncode}"}
        if "skipped" in result:
            print(f"skipped: {name} ({result['skipped']})", file=sys.stderr)
            continue
        result |= {"tool": name, "version": "" if name == "read" else importlib.metadata.version(name), "wall_s": wall}
        unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
        result |= {"cpu_s": usage.ru_utime + usage.ru_stime, "peak_mb": usage.ru_maxrss * unit / 1e6}
        result["extrapolated"] = keep < 1.0
        results.append(result)
    print("| tool | version | rows | CPU s | CPU s per 1M rows | wall s | peak MB | recall, mean | recall, min | reported |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for r in results:
        per_million = f"{r['cpu_s'] / r['rows'] * 1e6:,.0f}" + (" (linear, from the subset)" if r["extrapolated"] else "")
        recall = list(r.get("recall", {}).values())
        told = f"{sum(recall) / len(recall):.3f} | {min(recall):.3f}" if recall else "– | –"
        print(
            f"| {r['tool']} | {r['version']} | {r['rows']:,} | {r['cpu_s']:,.1f} | {per_million} | {r['wall_s']:,.1f}"
            f" | {r['peak_mb']:,.0f} | {told} | {r['reported']} |",
            flush=True,
        )
    if args.json:
        with open(args.json, "w") as file:
            json.dump(results, file, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sub = parser.add_subparsers(required=True)
    p = sub.add_parser("make")
    p.add_argument("--prompts", required=True, help="a Parquet file with the columns text, source and kind")
    p.add_argument("--out", required=True)
    p.add_argument("--rows", type=int, default=1_000_000)
    p.add_argument("--seed", type=int, default=7)
    p.set_defaults(call=make)
    p = sub.add_parser("run")
    p.add_argument("--data", required=True, help="where rows.jsonl and fragments.csv are")
    p.add_argument("--subset", type=int, default=100_000, help="rows for datasketch, the slow one")
    p.add_argument("--peers", default=",".join(PEERS), help="names, with commas between")
    p.add_argument("--json", help="a file for the results, recall by campaign included")
    p.set_defaults(call=run)
    p = sub.add_parser("peer")  # the child of `run`
    p.add_argument("name", choices=PEERS)
    p.add_argument("--data", required=True)
    p.add_argument("--keep", type=float, default=1.0)
    p.set_defaults(call=peer)
    args = parser.parse_args()
    args.call(args)


if __name__ == "__main__":
    main()
