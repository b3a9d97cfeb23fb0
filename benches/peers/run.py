"""Runs ours and every peer one after another on the same data and writes the records: called by `benches/peers.sh`.

Each measurement is a process of its own, under one driver that does nothing meanwhile. What it tells of itself (JSON lines) is
what is recorded; of whole commands, it is the kernel's account of the child. Runs with one thread are tied to one core.
Answers are scored against the exact ones, computed here in f32, and a record is not written where they are not answers.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PARTS = ["semhash", "index", "embedding", "growth", "similar"]
FULL = {
    "export": 430_000,
    "semhash": [100_000, 400_000],
    "index": (100_000, 10_000),
    "embedding": 100_000,
    "growth": [10_000, 100_000, 1_000_000],
    "floor": 100_000,
    "nights": (1_000_000, 10),
    "similar": 1000,
}
SMALL = {
    "export": 6_000,
    "semhash": [2_000, 5_000],
    "index": (5_000, 500),
    "embedding": 5_000,
    "growth": [1_000, 2_000, 5_000],
    "floor": 5_000,
    "nights": (5_000, 10),
    "similar": 200,
}


def child(command, cores=None, threads=None, env=None):
    """Runs a process to its end: its JSON lines, and the kernel's account of it and what it waited for."""
    cores = cores or sorted(os.sched_getaffinity(0))
    threads = threads or len(cores)
    count = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS", "MKL_NUM_THREADS")}
    env = {**os.environ, **count, "HF_HUB_OFFLINE": "1", **(env or {})}
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # each library picks its own kernels
        env.pop(name, None)
    with tempfile.TemporaryFile("w+") as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command], stdout=out, env=env, preexec_fn=lambda: os.sched_setaffinity(0, set(cores))
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{command[0]}: exit status {process.returncode}: {' '.join(map(str, command))}")
        out.seek(0)
        lines = [json.loads(line) for line in out if line.startswith("{") and line.rstrip().endswith("}")]
    return {"lines": lines, "cpu_s": usage.ru_utime + usage.ru_stime, "wall_s": wall, "peak": usage.ru_maxrss * 1024}


class Bench:
    def __init__(self, args):
        self.args = args
        self.sizes = SMALL if args.small else FULL
        self.out = os.path.abspath(args.out)
        self.set = os.path.join(self.out, "set-small" if args.small else "set")
        self.record = os.path.join(self.out, "record") if args.small else os.path.join(ROOT, "benches", "record")
        self.prompts = os.path.join(args.data, "prompts.parquet")
        self.one = [sorted(os.sched_getaffinity(0))[0]]
        for path in (self.out, self.set, self.record):
            os.makedirs(path, exist_ok=True)
        self.key = os.path.join(self.out, "key")
        with open(os.open(self.key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("5eed" * 16)

    def say(self, text):
        print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)

    def speed(self, *words, **how):
        return child([self.args.bench, *words], **how)

    def peer(self, script, *words, **how):
        return child([sys.executable, os.path.join(HERE, script), *words], **how)

    def stillhunt(self, *words, **how):
        return child([self.args.stillhunt, *words], **how)

    def export(self):
        """The texts and vectors that everyone is given."""
        path = os.path.join(self.set, "meta.json")
        if not os.path.exists(path):
            self.say("export")
            self.speed("export", self.args.data, self.set, self.sizes["export"])
        with open(path) as file:
            return json.load(file)

    def log(self, exchanges, days=1):
        """A simulated log of real prompts, in `days` files."""
        where = os.path.join(self.out, f"log-{exchanges}-{days}")
        if not os.path.exists(os.path.join(where, "done")):
            self.say(f"simulate {exchanges} exchanges, {days} nights")
            shutil.rmtree(where, ignore_errors=True)
            words = ["simulate", "--out", where, "--exchanges", exchanges, "--seed", 5, "--texts", self.prompts, "--days", days]
            self.stillhunt(*words)
            open(os.path.join(where, "done"), "w").close()
        return [os.path.join(where, "logs", f"night-{day + 1}.jsonl") for day in range(days)]

    def audit(self, logs, store, timings=None):
        words = ["audit", *logs, "--store", store, "--key", self.key]
        if timings and self.has_timings():
            words += ["--timings", timings]
        took = self.stillhunt(*words)
        if timings and os.path.exists(timings):
            with open(timings) as file:
                took["stages"] = {stage["stage"]: stage for stage in json.load(file)["stages"]}
        return took

    def has_timings(self):
        told = subprocess.run([self.args.stillhunt, "audit", "--help"], capture_output=True, text=True).stdout
        return "--timings" in told

    def head(self, part, packages=()):
        """What a record opens with: command, commit, machine, versions, data."""
        git = lambda *words: subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True).stdout.strip()
        with open("/proc/cpuinfo") as file:
            lines = file.read().splitlines()
        cpu = next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), platform.machine())
        flags = next((line.split(": ", 1)[1].split() for line in lines if line.startswith("flags")), [])
        named = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8") if flag in flags]
        with open(self.prompts, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
        dirty = " with changes" if git("status", "--porcelain", "--untracked-files=no", "src", "Cargo.toml") else ""
        size = " --small" if self.args.small else ""
        return (
            f"<!-- benches/peers.sh DATA_DIR OUT_DIR{size} {part} · commit {git('rev-parse', '--short', 'HEAD')}{dirty} · "
            f"{time.strftime('%Y-%m-%d', time.gmtime())} -->\n\n"
            f"Machine: {cpu}, {len(os.sched_getaffinity(0))} cores, {', '.join(named)}. Data: prompts.parquet, SHA-256 {digest}….\n"
            + (f"Peers: Python {platform.python_version()}, {versions}.\n" if packages else "")
            + "One process after another on the same cores; CPU-seconds are user and system of all threads.\n\n"
        )

    def write(self, name, text):
        with open(os.path.join(self.record, name), "w") as file:
            file.write(text)
        self.say(f"wrote {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("parts", nargs="*", default=[])
    parser.add_argument("--bench", required=True, help="the bench binary speed")
    parser.add_argument("--stillhunt", required=True, help="the program")
    parser.add_argument("--model", required=True, help="the model's directory")
    parser.add_argument("--small", action="store_true", help="a few thousand prompts; the records go to OUT_DIR/record")
    parser.add_argument("--store", help="a store for the part similar, in place of the one that growth makes")
    args = parser.parse_intermixed_args()
    parts = args.parts or PARTS
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"expected parts of {', '.join(PARTS)}, got {', '.join(unknown)}")
    if not os.path.exists(os.path.join(args.data, "prompts.parquet")):
        return print(f"skipped: {', '.join(parts)} (no prompts.parquet in {args.data})")
    bench = Bench(args)
    for part in PARTS:
        if part in parts:
            began = time.time()
            getattr(__import__(f"part_{part}"), "run")(bench)
            bench.say(f"{part}: {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
