"""A suspect's answers tested for a mark in served contexts: ours, radioactive-watermark and transformers on the same text, as Markdown.

    python benches/radioactivity_peers.py STILLHUNT DATA_DIR TOKENIZER CHECKOUT TOKENS

CHECKOUT is facebookresearch/radioactive-watermark, which is read, not copied: its `get_scores_by_t_chunked` with a filter of served contexts, rule v2. DATA_DIR/human_text
is cut in two: text that was served, and text of the suspect, so no mark is in it and p is one of the null. Both sides score three_bricks'
green list and Gumbel-max over contexts of two tokens. Theirs is timed from token ids to p, on one thread, after the filter is made; ours is the whole
command, from text in a file to the report, with 20 decoy keys on 1,000 windows and the control. transformers' detector has no filter and is one call for
each answer, its green list of one token of context. CPU-seconds are user and system. Needs torch, numpy, scipy, pandas, tokenizers, pyarrow and, for the last row, transformers.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ANSWER = 200
SEED, SALT = 7, 35317


def used(who):
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def texts(data, tokenizer, tokens):
    """Answers of 200 tokens: served ones and the suspect's, of two halves of one text each, so that contexts meet."""
    import pyarrow

    pieces = []
    for path in sorted(Path(data, "human_text").glob("*.jsonl.zst")):
        with pyarrow.input_stream(str(path), compression="zstd") as stream:
            for line in stream.read().decode().splitlines():
                ids = tokenizer.encode(json.loads(line)["text"], add_special_tokens=False).ids
                pieces += [ids[i : i + ANSWER] for i in range(0, len(ids) - ANSWER, ANSWER)]
                if len(pieces) * ANSWER > 2 * tokens:
                    break
        if len(pieces) * ANSWER > 2 * tokens:
            break
    written = [tokenizer.decode(ids) for ids in pieces]
    return written[0::2], written[1::2]


class Ids:
    """Stands where their code has a tokenizer: the text is numbers already."""

    def __init__(self, vocab_size):
        self.vocab_size = vocab_size

    def encode(self, ids, **_):
        return ids


def theirs(checkout, name, vocab, served, suspect):
    """Windows scored, p and CPU-seconds of get_scores_by_t_chunked."""
    sys.path.insert(0, checkout)
    import torch
    from wm.detector import MarylandDetector, OpenaiDetector

    torch.set_num_threads(1)
    given = dict(ngram=2, seed=SEED, seeding="hash", salt_key=SALT)
    detector = MarylandDetector(Ids(vocab), gamma=0.25, **given) if name == "kgw" else OpenaiDetector(Ids(vocab), **given)
    filter = {tuple(ids[i : i + 2]) for ids in served for i in range(1, len(ids) - 2)}
    began = used(resource.RUSAGE_SELF)
    with contextlib.redirect_stdout(None):
        scores = detector.get_scores_by_t_chunked(suspect, data_filter=filter, scoring_method="v2")
    p = detector.get_pvalue(sum(scores), len(scores), 1e-200)
    return len(scores), float(p), used(resource.RUSAGE_SELF) - began


def ours(program, work, name, vocab):
    """The same of the whole command."""
    key = work / f"{name}.toml"
    fields = [f"seed={SEED}", f"salt_key={SALT}", "ngram=2"] + (["gamma=0.25"] if name == "kgw" else [])
    lines = [f'scheme = "{name}"', 'dialect = "three_bricks"', *fields, f"vocab_size={vocab}"]
    key.write_text("\n".join(lines) + "\n")
    os.chmod(key, 0o600)
    began = used(resource.RUSAGE_CHILDREN)
    command = [program, "radioactivity", "closed", work / "suspect.jsonl", "--harvest", work / "served.jsonl", "--key-file", key, "--tokenizer", work / "tokenizer.json"]
    done = subprocess.run([*map(str, command), "--decoys", "20", "--decoy-windows", "1000", "--threads", "1", "--format", "json"], capture_output=True, text=True)
    if done.returncode not in (0, 2):
        raise SystemExit(done.stderr)
    test = json.loads(done.stdout)["tests"][0]
    return test["scored"], 10 ** test["log10_p"], used(resource.RUSAGE_CHILDREN) - began


def transformers_detector(vocab, suspect):
    import torch
    from transformers import LlamaConfig, WatermarkDetector, WatermarkingConfig

    torch.set_num_threads(1)
    detector = WatermarkDetector(LlamaConfig(vocab_size=vocab), "cpu", WatermarkingConfig())
    began = used(resource.RUSAGE_SELF)
    for ids in suspect:
        detector(torch.tensor([ids]), return_dict=True)
    return sum(len(ids) - 1 for ids in suspect), None, used(resource.RUSAGE_SELF) - began


def main():
    program, data, tokenizer_path, checkout, tokens = sys.argv[1:6]
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(tokenizer_path)
    vocab = tokenizer.get_vocab_size()
    served, suspect = texts(data, tokenizer, int(tokens))
    ids = [[tokenizer.encode(text, add_special_tokens=False).ids for text in side] for side in (served, suspect)]
    total = sum(map(len, ids[1]))
    rows = []
    with tempfile.TemporaryDirectory() as held:
        work = Path(held)
        (work / "tokenizer.json").write_bytes(Path(tokenizer_path).read_bytes())
        (work / "suspect.jsonl").write_text("".join(json.dumps({"prompt": "", "response": text}) + "\n" for text in suspect))
        row = {"account": "a", "time": "2026-11-01T00:00:00Z", "prompt": "say more"}
        (work / "served.jsonl").write_text("".join(json.dumps({**row, "response": text}) + "\n" for text in served))
        for name in ("kgw", "gumbel"):
            rows.append((f"three_bricks {name}", "stillhunt, the whole command", *ours(program, work, name, vocab)))
            rows.append((f"three_bricks {name}", "radioactive-watermark, chunked", *theirs(checkout, name, vocab, *ids)))
        try:
            rows.append(("transformers kgw", "transformers, one call an answer", *transformers_detector(vocab, ids[1][:50])))
        except ImportError as missing:
            print(f"skipped: transformers ({missing})", file=sys.stderr)
    print(f"{total} tokens of a suspect in {len(suspect)} answers, as many served, {vocab} ids.\n")
    print("| mark | program | windows scored | p | CPU-s | windows a CPU-second |\n|---|---|---:|---:|---:|---:|")
    for mark, engine, scored, p, seconds in rows:
        print(f"| {mark} | {engine} | {scored} | {'–' if p is None else f'{p:.4g}'} | {seconds:.1f} | {scored / max(seconds, 1e-9):.0f} |")


if __name__ == "__main__":
    main()
