"""Detectors of transformers and vLLM on token ids: tokens per user CPU-second, as JSON.

    python watermark_peer.py TOKENS.u32 VOCAB

TOKENS.u32 holds little-endian 32-bit ids; sequences of 400 are cut from its beginning. Model-free: what is timed is the detector call,
after one warm-up, on one thread. A reference that cannot be imported is left out by name.
"""

import json
import resource
import sys

import numpy as np

LENGTH = 400


def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def rate(detect, sequences):
    detect(sequences[0])
    began = used()
    for sequence in sequences[1:]:
        detect(sequence)
    return sum(map(len, sequences[1:])) / max(used() - began, 1e-9)


def main():
    path, vocab = sys.argv[1], int(sys.argv[2])
    ids = np.fromfile(path, dtype="<u4", count=41 * LENGTH).astype(np.int64)
    sequences = [ids[i : i + LENGTH].tolist() for i in range(0, len(ids) - LENGTH + 1, LENGTH)]
    out = {"rates": {}, "left_out": {}, "versions": {}}
    try:
        import torch
        import transformers
        from transformers import LlamaConfig, SynthIDTextWatermarkLogitsProcessor, WatermarkDetector, WatermarkingConfig

        torch.set_num_threads(1)
        out["versions"].update(torch=torch.__version__, transformers=transformers.__version__)
        config = LlamaConfig(vocab_size=vocab)
        for name, given in {
            "kgw transformers": WatermarkingConfig(),
            "kgw transformers (seeding_scheme = selfhash, context_width = 4)": WatermarkingConfig(
                seeding_scheme="selfhash", context_width=4
            ),
        }.items():
            detector = WatermarkDetector(config, "cpu", given)
            out["rates"][name] = rate(
                lambda ids, d=detector: d(torch.tensor([ids]), return_dict=True), sequences[:9]
            )
        keys = np.random.default_rng(1).integers(0, 1 << 31, 30).tolist()
        processor = SynthIDTextWatermarkLogitsProcessor(
            ngram_len=5, keys=keys, sampling_table_size=2**16, sampling_table_seed=0, context_history_size=1024, device="cpu"
        )

        def synthid(ids):
            tokens = torch.tensor([ids])
            g = processor.compute_g_values(tokens)
            mask = processor.compute_context_repetition_mask(tokens)
            return (g * mask[..., None]).sum() / (g.shape[-1] * mask.sum())

        out["rates"]["synthid transformers"] = rate(synthid, sequences)
    except ImportError as cause:
        out["left_out"]["transformers"] = str(cause)
    try:
        from vllm.v1.watermarking.gumbel import DualKeyGumbelWatermarkDetector, GumbelWatermarkDetector

        try:
            from importlib.metadata import version

            out["versions"]["vllm"] = version("vllm")
        except Exception:
            pass
        detector = GumbelWatermarkDetector(key=421337)
        out["rates"]["gumbel vllm"] = rate(detector.detect, sequences)
        detector = DualKeyGumbelWatermarkDetector(key=421337)
        out["rates"]["dual_key_gumbel vllm"] = rate(detector.detect, sequences)
    except ImportError as cause:
        out["left_out"]["vllm"] = str(cause)
    print(json.dumps(out))


main()
