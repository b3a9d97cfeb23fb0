"""A small log, the keys of every scheme, and stand-ins for serving engines that are not installed."""

import importlib
import json
import sys
import types
from pathlib import Path

import pytest

import stillhunt

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = "Solve the following problem and show every step of your reasoning inside <trace> tags before you answer: "


def rows(accounts=6):
    """Exchanges: a template that many accounts share, and prompts of strangers."""
    tasks = ["primes", "squares", "cubes", "twin primes", "perfect numbers", "palindromes"]
    for i in range(accounts):
        prompt = f"{TEMPLATE}how many {tasks[i % 6]} lie below {100 + i}?"
        yield {"id": f"00{i}", "account": f"acct-{i}", "time": f"2026-11-01T0{i}:00:00Z", "prompt": prompt, "response": "seven"}
    for i, text in enumerate(["What is the capital of Mongolia?", "Write a limerick on a lighthouse keeper, <b>now</b> ‮please"]):
        yield {"id": f"x{i}", "account": f"other-{i}", "time": "2026-11-01T09:00:00Z", "prompt": text, "response": "Ulaanbaatar"}


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()))
    return path


@pytest.fixture
def audited(log, tmp_path):
    """A store with its account key."""
    store, key = tmp_path / "store", tmp_path / "account.key"
    report = stillhunt.audit(log, store=store, key=key)
    return store, key, report


VOCAB = 512
SCHEMES = [(s["scheme"], s["dialect"]) for s in stillhunt.watermark.schemes()["schemes"]]


@pytest.fixture
def key_of(tmp_path):
    """Makes a key file of a scheme. Keys follow from one root: decoys call one honest text in a hundred uneven, so tests of verdicts do not draw keys."""
    root = tmp_path / "test-root.toml"
    root.write_text('root_key = "' + "5a" * 32 + '"\n')
    root.chmod(0o600)
    n = [0]

    def made(scheme, dialect, vocab=VOCAB, **fields):
        n[0] += 1
        path = tmp_path / f"{scheme}-{dialect}-{n[0]}.toml"
        stillhunt.watermark.derive(path, root=root, path=f"test/{n[0]}", scheme=scheme, dialect=dialect, vocab_size=vocab, **fields)
        return path

    return made


def _stand_in_vllm():
    from collections.abc import Sequence  # noqa: F401
    from dataclasses import dataclass
    from enum import Enum, auto

    class MoveDirectionality(Enum):
        UNIDIRECTIONAL = auto()
        SWAP = auto()

    @dataclass(frozen=True)
    class BatchUpdate:
        batch_size: int
        removed: list
        added: list
        moved: list

    class LogitsProcessor:
        pass

    return {"vllm.v1.sample.logits_processor": dict(MoveDirectionality=MoveDirectionality, BatchUpdate=BatchUpdate, LogitsProcessor=LogitsProcessor)}


def _stand_in_sglang():
    class CustomLogitProcessor:
        pass

    return {"sglang.srt.sampling.custom_logit_processor": dict(CustomLogitProcessor=CustomLogitProcessor)}


STAND_INS = {"vllm.v1.sample.logits_processor": _stand_in_vllm, "sglang.srt.sampling.custom_logit_processor": _stand_in_sglang}


@pytest.fixture
def engine(request):
    """Imports a plug-in; where its engine cannot be imported, over a stand-in with the names that it uses, and says so."""

    def plug_in(name, interface):
        try:
            importlib.import_module(interface)
        except Exception as cause:
            print(f"skipped: {name} itself is not here ({type(cause).__name__}); a stand-in of its interface serves")
            for full, names in STAND_INS[interface]().items():
                parts = full.split(".")
                for n in range(1, len(parts) + 1):
                    module = types.ModuleType(".".join(parts[:n]))
                    module.__path__ = []
                    sys.modules[".".join(parts[:n])] = module
                vars(sys.modules[full]).update(names)
        return importlib.import_module(f"stillhunt.{name}")

    return plug_in
