"""A student that is a transformer: does it show whose answers it was trained on? Teacher, students and tests on a CPU, as Markdown.

    python benches/radioactivity_transformer.py STILLHUNT DATA_DIR WORK [--shares 0,0.05,0.2,1] [--tokens 2000000] [--width 128]

A tokenizer of 4,096 pieces and a teacher (four layers) are made from human text; the teacher answers under a green list (contexts of two tokens) for rings A, B and C,
each answer of 200 tokens after the beginning of a human text. A student of the same shape is trained from nothing on human text that the teacher never read, of
which a share is replaced by B's answers, each as often as that takes. Then the program tests the student's own answers (closed), its predictions of B's answers (open, by
scripts/predictions) and whose harvest it was, with the answers of the student of share 0 as the control. What is in WORK already is not made again. Needs torch, transformers, tokenizers, pyarrow and this project's wheel.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, LogitsProcessorList

PIECES, WINDOW, ANSWER, BEGIN = 4096, 128, 200, 8
ANSWERS, SAID = 256, 512
SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "predictions" / "transformers_predictions.py"


def human(data):
    """Texts for the teacher and, of other documents, for students."""
    import pyarrow

    halves = ([], [])
    for name in ("standard_ebooks", "openstax"):
        with pyarrow.input_stream(str(Path(data, "human_text", f"{name}.jsonl.zst")), compression="zstd") as stream:
            for number, line in enumerate(stream.read().decode().splitlines()):
                halves[number % 2].append(json.loads(line)["text"])
    return halves


def tokenizer_of(texts, path):
    if not path.exists():
        made = Tokenizer(models.BPE())
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        trainer = trainers.BpeTrainer(vocab_size=PIECES, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
        made.train_from_iterator((text[:20000] for text in texts), trainer)
        made.save(str(path))
    return Tokenizer.from_file(str(path))


def ids_of(tokenizer, texts, most):
    out = []
    for text in texts:
        out += tokenizer.encode(text).ids
        if len(out) >= most:
            break
    return out[:most]


def train(lessons, tokens, width, seed, path):
    """A model that reads `tokens` tokens of the lessons in windows drawn at random."""
    if path.exists():
        return LlamaForCausalLM.from_pretrained(path).eval()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=PIECES, hidden_size=width, intermediate_size=width * 8 // 3, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=4,
        max_position_embeddings=512, tie_word_embeddings=True, bos_token_id=None, eos_token_id=None, pad_token_id=0,
    )
    model, batch = LlamaForCausalLM(config), 16
    steps = tokens // (batch * WINDOW)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps, pct_start=0.05)
    text, mean = torch.tensor(lessons), 0.0
    for step in range(steps):
        begins = torch.randint(0, len(text) - WINDOW, (batch,))
        rows = torch.stack([text[begin : begin + WINDOW] for begin in begins])
        loss = model(rows, labels=rows).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        mean = 0.99 * mean + 0.01 * loss.item() if step else loss.item()
    print(f"{path.name}: {sum(p.numel() for p in model.parameters())} parameters, {tokens} tokens read, loss {mean:.2f}", file=sys.stderr)
    model.eval().save_pretrained(path)
    return model


def answers(model, begins, seed, marks=()):
    """Continuations of beginnings, without these."""
    torch.manual_seed(seed)
    out = []
    for at in range(0, len(begins), 64):
        rows = torch.tensor(begins[at : at + 64])
        with torch.no_grad():
            said = model.generate(
                rows, attention_mask=torch.ones_like(rows), max_new_tokens=ANSWER, min_new_tokens=ANSWER, do_sample=True, top_k=0, logits_processor=LogitsProcessorList(marks), pad_token_id=0
            )
        out += [row[len(begins[0]) :].tolist() for row in said]
    return out


def write(path, tokenizer, begins, said, account):
    rows = [{"prompt": tokenizer.decode(begin), "response": tokenizer.decode(answer)} for begin, answer in zip(begins, said)]
    if account:
        rows = [{"account": f"{account}{at // 20}", "time": "2026-11-01T00:00:00Z", **row} for at, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def ask(program, *args):
    done = subprocess.run([program, "radioactivity", *map(str, args), "--format", "json"], capture_output=True, text=True)
    if done.returncode not in (0, 2) or not done.stdout:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("data")
    parser.add_argument("work", type=Path)
    parser.add_argument("--shares", default="0,0.05,0.2,1")
    parser.add_argument("--tokens", type=int, default=2_000_000)
    parser.add_argument("--width", type=int, default=128)
    args = parser.parse_args()
    import stillhunt.transformers
    from stillhunt import watermark

    work, began = args.work, time.process_time()
    work.mkdir(parents=True, exist_ok=True)
    for_teacher, for_students = human(args.data)
    tokenizer = tokenizer_of(for_teacher, work / "tokenizer.json")
    own, other = (ids_of(tokenizer, texts, 1_000_000) for texts in (for_teacher, for_students))
    teacher = train(own, args.tokens, args.width, 1, work / "teacher")
    key = work / "key.toml"
    if not key.exists():
        key.write_text(f'scheme = "green-list"\ndialect = "native"\nkey = "{"5a" * 32}"\nvocab_size = {PIECES}\ncontext_width = 2\n')
        key.chmod(0o600)
    begins = [own[at * 1000 : at * 1000 + BEGIN] for at in range(ANSWERS)]
    harvests = {}
    for number, name in enumerate(["A", "B", "C"]):
        kept = work / f"{name}.json"
        if not kept.exists():
            kept.write_text(json.dumps(answers(teacher, begins, number, [stillhunt.transformers.Watermark(key)])))
        harvests[name] = json.loads(kept.read_text())
        write(work / f"{name}.jsonl", tokenizer, begins, harvests[name], name)
    b = [token for answer in harvests["B"] for token in answer]
    print("| share of B's answers | loss on B | closed, log10 p | windows | outside | more inside | verdict | open, log10 p | contexts | verdict | rings named, closed |")
    print("|---|---:|---:|---:|---:|---:|---|---:|---:|---|---|")
    asked = [other[at * 900 : at * 900 + BEGIN] for at in range(SAID)]
    common = ["--key-file", key, "--tokenizer", work / "tokenizer.json"]
    for share in map(float, args.shares.split(",")):
        wanted = int(share * len(other))
        lessons = other[: len(other) - wanted] + (b * (wanted // len(b) + 1))[:wanted]
        student = train(lessons, args.tokens, args.width, 2, work / f"student-{share}")
        with torch.no_grad():
            loss = float(torch.stack([student(row, labels=row).loss for row in torch.tensor(harvests["B"][:64]).split(16)]).mean())
        suspect = work / f"answers-{share}.jsonl"
        if not suspect.exists():
            write(suspect, tokenizer, asked, answers(student, asked, 9), None)
        control = ["--control", work / "answers-0.0.jsonl"] if share > 0 else []
        closed = ask(args.program, "closed", suspect, "--harvest", f"B={work / 'B.jsonl'}", *control, *common)["tests"][0]
        rows = work / f"predictions-{share}.jsonl"
        if not rows.exists():
            subprocess.run([sys.executable, SCRIPT, work / f"student-{share}", work / "B.jsonl", "--tokenizer", work / "tokenizer.json", "--out", rows, "--length", str(WINDOW)], check=True)
        clean = ["--control", work / "predictions-0.0.jsonl"] if share > 0 else []
        opened = ask(args.program, "open", rows, "--harvest", f"B={work / 'B.jsonl'}", *clean, *common)["tests"][0]
        named = ask(args.program, "attribute", suspect, *[f"--harvest={name}={work / name}.jsonl" for name in ("A", "B", "C")], *control, *common, "--decoy-rings", "1000")
        marked = [ring["ring"] for ring in named["rings"] if ring["verdict"] == "Marked"]
        origin = closed.get("origin") or {}
        shown = lambda value: "–" if value is None else f"{value:.1f}"
        print(
            f"| {share:g} | {loss:.2f} | {closed['log10_p']:.1f} | {closed['scored']} | {shown(origin.get('log10_p'))} | {shown(origin.get('log10_p_learned'))} | {closed['verdict']} | {opened['log10_p']:.1f} | {opened['scored']} | {opened['verdict']} | {', '.join(marked) or 'none'} |",
            flush=True,
        )
    print(f"\n{sum(p.numel() for p in teacher.parameters())} parameters, {args.tokens} tokens read by each model, {len(b)} tokens of B's; {time.process_time() - began:.0f} CPU-s.")


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    main()
