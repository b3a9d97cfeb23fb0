"""The part `embedding`: prompts a CPU-second from text to vector, against model2vec in Rust and in Python, on one thread."""

import os
import shutil
import subprocess

import numpy as np
from common import DIM

PACKAGE = """[package]
name = "peer"
version = "0.1.0"
edition = "2024"
[[bin]]
name = "peer"
path = "main.rs"
[dependencies]
model2vec-rs = {{ version = "={version}", default-features = false, features = ["onig"] }}
rustix = {{ version = "1.1", default-features = false, features = ["time"] }}
serde_json = "1.0"
[workspace]
"""
VERSION = "0.4.0"


def built(bench):
    """The program around the crate; None, with a word, where it does not build."""
    where = os.path.join(bench.out, "model2vec-rs")
    os.makedirs(where, exist_ok=True)
    with open(os.path.join(where, "Cargo.toml"), "w") as file:
        file.write(PACKAGE.format(version=VERSION))
    shutil.copy(os.path.join(os.path.dirname(__file__), "model2vec_rs.rs"), os.path.join(where, "main.rs"))
    bench.say("embedding: build model2vec-rs")
    target = os.path.join(where, "target")
    done = subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=where, env={**os.environ, "CARGO_TARGET_DIR": target})
    if done.returncode:
        bench.say("skipped: model2vec-rs (does not build here)")
        return None
    return os.path.join(target, "release", "peer")


def run(bench):
    from run import child

    meta = bench.export()
    n = min(bench.sizes["embedding"], meta["rows"])
    peer, how = built(bench), {"cores": bench.one, "threads": 1}
    lines = bench.speed("embed", bench.set, n, **how)["lines"]
    if peer:
        lines += child([peer, bench.set, n, bench.args.model], **how)["lines"]
    lines += bench.peer("embed_peer.py", bench.set, n, bench.args.model, **how, env={"TOKENIZERS_PARALLELISM": "false"})["lines"]
    size = {name: os.path.getsize(f"{bench.set}/{name}.jsonl") * n / meta["rows"] for name in ("raw", "read")}
    ours = {line["what"]: line["cpu_s"] for line in lines if line["engine"] == "stillhunt"}
    out = bench.head("embedding", ["model2vec", "tokenizers", "numpy"]) + (
        f"## From text to vector\n\n{n:,} distinct real prompts, {size['read'] / 1e6:.1f} MB folded; one thread on one core; the best of three rounds (Python: two). Whole texts: no engine "
        f"cuts at 512 tokens. model2vec-rs {VERSION}. Ours makes the windows of long texts besides the vectors. Tokenising is part of embedding.\n\n"
        "| engine | what | prompts / CPU-s | MB / CPU-s | CPU-s | wall s | peak MB | its CPU-s over ours |\n|---|---|---|---|---|---|---|---|\n"
    )
    for line in lines:
        megabytes = size["raw" if line["what"] == "fold" else "read"] / 1e6
        ratio = f"{line['cpu_s'] / ours[line['what']]:.2f} ×"
        out += (
            f"| {line['engine'].replace('stillhunt', 'ours')} | {line['what']} | {n / line['cpu_s']:,.0f} | {megabytes / line['cpu_s']:.1f} | {line['cpu_s']:.2f} | {line['wall_s']:.2f} "
            f"| {line['peak'] / 1e6:,.0f} | {ratio} |\n"
        )
    made = np.fromfile(f"{bench.set}/vectors.ours.f32", np.float32).reshape(-1, DIM)
    out += "\n"
    for name in ["model2vec-rs"] * bool(peer) + ["model2vec"]:
        other = np.fromfile(f"{bench.set}/vectors.{name}.f32", np.float32).reshape(-1, DIM)
        apart = np.abs(other - made).max(axis=1)
        if np.mean(apart > 1e-3) > 0.01:
            raise SystemExit(f"embedding: the vectors of {name} are others: {np.mean(apart > 1e-3):.2%} of them differ")
        out += f"Vectors of {name}: the largest difference of a number is {apart.max():.1e}; {int((apart > 1e-3).sum())} of {n:,} differ by more than 0.001.\n"
    bench.write("speed-embedding.md", out)
