"""What planting costs: CPU-milliseconds (all threads together) of a step and of a sequence in it, ours against the processors of transformers, vLLM and SGLang, as Markdown.

    python benches/planting.py [--threads 2] [--model] > benches/record/planting-speed.md

Logits are normal with deviation 3, prompts 64 random tokens, responses 32. Timed is the call of the processor with its tensors on the CPU, the median of
some calls after a warm-up, in CPU time, which other work on the machine disturbs least; nothing of the model. `--model` times a step of a Llama with a billion random parameters in bfloat16 on the same threads, to say what share
of it planting is. A peer that cannot be imported is left out by name. What it does not show: accelerators, where ours pays for the way to the CPU and back.
"""

import argparse
import gc
import os
import platform
import statistics
import sys
import tempfile
import time

parser = argparse.ArgumentParser()
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--model", action="store_true")
parser.add_argument("--vocabularies", type=int, nargs="*", default=[32_000, 128_256])
parser.add_argument("--batches", type=int, nargs="*", default=[1, 32, 256])
parser.add_argument("--only", default="", help="processors whose name holds this")
args = parser.parse_args()
os.environ["RAYON_NUM_THREADS"] = str(args.threads)

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

import stillhunt  # noqa: E402

torch.set_num_threads(args.threads)
PROMPT, RESPONSE = 64, 32


def median_ms(call, most=1.5):
    """Of up to fifteen calls while they take under `most` seconds together, of one at least."""
    call()
    took = []
    while not took or (len(took) < 15 and sum(took) < most):
        began = time.process_time()
        call()
        took.append(time.process_time() - began)
    return 1e3 * statistics.median(took)


def ours(directory, vocab):
    for scheme, dialect in [("gumbel", "native"), ("green-list", "native"), ("tournament", "native"), ("gumbel", "vllm"), ("kgw", "transformers"),
                            ("synthid", "transformers"), ("gumbel", "sglang")]:
        key = f"{directory}/{scheme}-{dialect}-{vocab}.toml"
        stillhunt.watermark.keygen(key, scheme, dialect=dialect, vocab_size=vocab)
        made = stillhunt.transformers.Watermark(key, seed=1)

        def call(ids, scores, made=made):
            made._begin(ids[:, :PROMPT].numpy())
            made._length = ids.shape[1] - 1
            return made(ids, scores)

        yield f"ours: {scheme} ({dialect})", call


def theirs(vocab):
    """(name, call) of peers, and why one is left out."""
    from transformers import SynthIDTextWatermarkLogitsProcessor, WatermarkLogitsProcessor

    kgw = WatermarkLogitsProcessor(vocab_size=vocab, device="cpu", hashing_key=15485863, context_width=1)
    yield f"transformers {transformers.__version__}: kgw lefthash", lambda ids, scores: kgw(ids, scores)
    keys = np.random.default_rng(1).integers(0, 1 << 31, 30).tolist()
    synthid = SynthIDTextWatermarkLogitsProcessor(
        ngram_len=5, keys=keys, sampling_table_size=2**16, sampling_table_seed=0, context_history_size=1024, device="cpu")

    def step(ids, scores):
        # Its first call makes the state of a batch; only a later one is a step as it is in the middle of a text.
        if synthid.state is None or len(synthid.state.context) != len(ids):
            synthid.state = None
            synthid(ids, scores)
        return synthid(ids, scores)

    yield f"transformers {transformers.__version__}: SynthID, 30 layers", step
    try:
        import vllm
        from vllm.v1.watermarking.gumbel import GumbelWatermarker

        marker = GumbelWatermarker(key=42, context_width=4)
        yield f"vLLM {vllm.__version__}: gumbel", lambda ids, scores: marker._sample_watermarked(scores, ids[:, -4:])
    except Exception as cause:
        yield f"vLLM left out: {type(cause).__name__}: {str(cause)[:80]}", None


    try:
        version, core = sglang()
        hash_contexts, force = core._hash_contexts, core.force_watermark_tokens

        def forced(ids, scores):
            n = len(ids)
            contexts = hash_contexts(ids[:, -4:], torch.full((n,), 4))
            whole = torch.ones(n)
            # It writes into the logits.
            return force(scores.clone(), contexts, torch.ones(n, dtype=torch.bool), whole[:, None], torch.full((n,), vocab), whole, 0 * whole,
                         torch.full((n,), 42, dtype=torch.int64))

        yield f"SGLang {version}: gumbel", forced
    except Exception as cause:
        yield f"SGLang left out: {type(cause).__name__}: {str(cause)[:80]}", None


def sglang():
    """SGLang's own watermark, from its package without what that imports beside it (`pip install --no-deps sglang`, msgspec)."""
    from importlib import metadata, util

    root = util.find_spec("sglang").submodule_search_locations[0]
    place = os.path.join(root, "srt", "sampling", "watermarking")
    spec = util.spec_from_file_location("sglang_watermarking", os.path.join(place, "__init__.py"), submodule_search_locations=[place])
    sys.modules["sglang_watermarking"] = util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["sglang_watermarking"])
    from sglang_watermarking import core

    return metadata.version("sglang"), core


def model_step(batch):
    """Milliseconds of a step of a billion parameters, with a cache of `PROMPT` tokens."""
    config = transformers.LlamaConfig(vocab_size=128_256, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
                                      num_key_value_heads=8, tie_word_embeddings=True)
    torch.set_default_dtype(torch.bfloat16)
    with torch.no_grad():
        model = transformers.LlamaForCausalLM(config).eval()
    torch.set_default_dtype(torch.float32)
    with torch.no_grad():
        out = {}
        for n in batch:
            cache = model(torch.randint(0, 1000, (n, PROMPT)), use_cache=True, logits_to_keep=1).past_key_values

            def step(n=n, cache=cache):
                model(torch.randint(0, 1000, (n, 1)), past_key_values=cache, use_cache=True)
                cache.crop(-1)

            out[n] = median_ms(step)
        parameters = sum(p.numel() for p in model.parameters())
    del model
    gc.collect()
    return out, parameters


def main():
    cpu = next((line.split(": ")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    print(f"<!-- {' '.join(['benches/planting.py', *sys.argv[1:]])} · {time.strftime('%Y-%m-%d')} -->\n")
    print(f"# What planting costs\n\nMachine: {cpu}, {args.threads} threads. Python {platform.python_version()}, torch {torch.__version__}, transformers "
          f"{transformers.__version__}.\n\n{__doc__.split(chr(10) * 2)[2]}\n")
    print("| vocabulary | processor | " + " | ".join(f"batch {n}: ms a step | ms a sequence" for n in args.batches) + " |")
    print("|---|---|" + "---|---|" * len(args.batches))
    rng = np.random.default_rng(7)
    smallest = {}
    with tempfile.TemporaryDirectory() as directory:
        for vocab in args.vocabularies:
            for name, call in [*ours(directory, vocab), *theirs(vocab)]:
                if args.only.lower() not in name.lower():
                    continue
                if call is None:
                    print(f"| {vocab:,} | {name} |" + " | |" * len(args.batches))
                    continue
                cells = []
                of_one = 0.0
                for n in args.batches:
                    if of_one * n > 6_000:
                        cells += ["over 6 s", ""]
                        continue
                    ids = torch.from_numpy(rng.integers(0, vocab, (n, PROMPT + RESPONSE)))
                    scores = torch.from_numpy(rng.normal(0, 3, (n, vocab)).astype(np.float32))
                    took = median_ms(lambda: call(ids, scores))
                    smallest[vocab, name, n], of_one = took, took / n
                    cells += [f"{took:.2f}", f"{took / n:.2f}"]
                    del scores
                    gc.collect()
                print(f"| {vocab:,} | {name} | " + " | ".join(cells) + " |", flush=True)
    if args.model:
        steps, parameters = model_step([n for n in args.batches if n <= 32])
        print(f"\nA step of a Llama with {parameters / 1e9:.2f} billion random parameters in bfloat16 on the same threads, and what share of it planting adds:\n")
        print("| batch | ms a step | " + " | ".join(name for (vocab, name, n) in smallest if vocab == args.vocabularies[-1] and n == args.batches[0]) + " |")
        print("|---|---|" + "---|" * sum(1 for (vocab, _, n) in smallest if vocab == args.vocabularies[-1] and n == args.batches[0]))
        for n, took in steps.items():
            shares = [f"{100 * ms / took:.1f}%" for (vocab, _, of), ms in smallest.items() if vocab == args.vocabularies[-1] and of == n]
            print(f"| {n} | {took:.0f} | " + " | ".join(shares) + " |")


main()
