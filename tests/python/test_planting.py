"""Marks planted by transformers, vLLM and SGLang: found by `detect`, and token for token what plain planting samples."""

import json
import types

import numpy as np
import pytest
from conftest import SCHEMES, VOCAB

import stillhunt
from stillhunt import watermark

torch = pytest.importorskip("torch")

# What marks little in a text of this length, or depends on more than the key says, is planted and compared, but not asked to be found.
STEPS = 160


def logits_of(tokens):
    """What our model says after `tokens`: seeded by the last two, so that prompts matter and nothing is certain."""
    seed = [int(token) for token in tokens[-2:]]
    return np.random.default_rng(seed).normal(0, 1.5, VOCAB).astype(np.float32)


def served(mark, prompt, steps):
    """Greedy decoding of marked rows."""
    out = []
    for _ in range(steps):
        row = torch.from_numpy(logits_of(prompt + out)[None].copy())
        out.append(int(mark(prompt, out, row).argmax()))
    return out


def plain(key, prompt, response, seed, **settings):
    """What `watermark plant` samples from the logits that led to `response`."""
    rows = np.stack([logits_of(prompt + response[:i]) for i in range(len(response))])
    return watermark.plant(rows, key, prompt_tokens=prompt, seed=seed, **settings)


def verdict(key, documents):
    report = watermark.detect(key_file=key, documents=documents, decoys=200)
    return report["results"][0]


@pytest.mark.parametrize("scheme,dialect", SCHEMES)
def test_each_scheme_in_transformers_equals_plain_planting_and_is_found(scheme, dialect, key_of):
    transformers = pytest.importorskip("transformers")
    key, prompt = key_of(scheme, dialect), [3, 1, 4, 1, 5, 9, 2, 6]
    processor = stillhunt.transformers.Watermark(key, temperature=0.9, seed=11, draw=True)
    assert isinstance(processor, transformers.LogitsProcessor)
    mark = lambda prompt, out, row: processor(torch.tensor([prompt + out]), row)[0]
    response = served(mark, prompt, STEPS)
    assert response == plain(key, prompt, response, 11, temperature=0.9)
    more = []
    for at in range(5):
        processor = stillhunt.transformers.Watermark(key, seed=100 + at, draw=True)
        more.append(served(mark, [at, 7 * at + 1, 2, 3, 4, 5, 6, 7], STEPS))
    assert verdict(key, [response, *more])["verdict"] == "Marked"


@pytest.fixture(scope="module")
def model():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
        bos_token_id=1, eos_token_id=None, pad_token_id=0,
    )
    return transformers.LlamaForCausalLM(config).eval()


def generated(model, processors, prompts, steps=80, **settings):
    settings = {"do_sample": False, **settings}
    with torch.no_grad():
        out = model.generate(torch.tensor(prompts), attention_mask=torch.ones_like(torch.tensor(prompts)), max_new_tokens=steps,
                             min_new_tokens=steps, logits_processor=processors, pad_token_id=0, **settings)
    return [row[len(prompts[0]) :].tolist() for row in out]


@pytest.mark.parametrize("scheme,dialect", [("gumbel", "native"), ("green-list", "native"), ("tournament", "native"), ("gumbel", "vllm")])
@pytest.mark.parametrize("sample", [False, True])
def test_generate_is_marked_and_found(model, key_of, scheme, dialect, sample):
    key = key_of(scheme, dialect, **({"bias": 6.0} if scheme == "green-list" else {}))
    prompts = np.random.default_rng(1).integers(1, VOCAB, (8, 12)).tolist()
    torch.manual_seed(5)
    processor = stillhunt.transformers.Watermark(key)
    out = generated(model, [processor], prompts, do_sample=sample, top_k=0)
    found = verdict(key, [{"tokens": tokens, "prompt_tokens": prompt} for tokens, prompt in zip(out, prompts)])
    assert found["verdict"] == "Marked", found
    plainly = generated(model, [], prompts, do_sample=True, top_k=0)
    assert verdict(key, plainly)["verdict"] != "Marked"


def test_generate_draws_what_plain_planting_draws(model, key_of):
    """Batch of two, by the model itself: each row equals the plain planting of its own logits."""
    for scheme in ("gumbel", "green-list", "tournament"):
        key, prompts = key_of(scheme, "native"), [[5, 6, 7, 8, 9], [9, 8, 7, 6, 5]]
        out = generated(model, [stillhunt.transformers.Watermark(key, seed=3, draw=True)], prompts, steps=30)
        for row, (prompt, response) in enumerate(zip(prompts, out)):
            with torch.no_grad():
                logits = model(torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1].float().numpy()
            planted = watermark.plant(logits, key, prompt_tokens=prompt, seed=3 + row)
            # The batch and the single pass add in another order, so a token may differ where two are almost alike, and what follows with it.
            same = next((i for i, (a, b) in enumerate(zip(planted, response)) if a != b), len(response))
            assert same >= 10, (scheme, planted, response)


def test_greedy_green_lists_are_those_of_transformers_itself(model, key_of):
    transformers = pytest.importorskip("transformers")
    prompts = np.random.default_rng(2).integers(1, VOCAB, (4, 12)).tolist()
    for seeding, width in [("lefthash", 1), ("selfhash", 3)]:
        key = key_of("kgw", "transformers", seeding_scheme=seeding, context_width=width, bias=2.5)
        hashing_key = int(next(line for line in key.read_text().splitlines() if line.startswith("hashing_key")).split("=")[1])
        theirs = transformers.WatermarkingConfig(hashing_key=hashing_key, seeding_scheme=seeding, context_width=width, bias=2.5, greenlist_ratio=0.25)
        ours = generated(model, [stillhunt.transformers.Watermark(key)], prompts)
        assert ours == generated(model, [], prompts, watermarking_config=theirs), seeding


def test_padding_on_the_left_is_no_context(key_of):
    key = key_of("gumbel", "native")
    alone = stillhunt.transformers.Watermark(key, seed=1)
    padded = stillhunt.transformers.Watermark(key, seed=1, pad_token_id=0)
    row = torch.from_numpy(logits_of([1, 2])[None].copy())
    first = alone(torch.tensor([[5, 6]]), row)
    second = padded(torch.tensor([[0, 0, 0, 0, 5, 6]]), row)
    assert torch.equal(first, second)
    # Two tokens are too few for a context of four: ordinary scores.
    assert torch.equal(first, row)


def test_half_precision_scores_keep_their_type(key_of):
    processor = stillhunt.transformers.Watermark(key_of("tournament", "native"))
    row = torch.from_numpy(logits_of([1, 2])[None].copy()).to(torch.bfloat16)
    assert processor(torch.tensor([[5, 6, 7, 8, 9]]), row).dtype == torch.bfloat16


def test_a_wrong_width_and_nan_are_told(key_of):
    processor = stillhunt.transformers.Watermark(key_of("gumbel", "native"))
    with pytest.raises(stillhunt.InputError, match="row 0: expected 512 logits, got 100"):
        processor(torch.tensor([[5, 6, 7, 8, 9]]), torch.zeros(1, 100))
    with pytest.raises(stillhunt.InputError, match="row 1: expected finite logits"):
        processor(torch.tensor([[5, 6, 7, 8, 9]] * 2), torch.tensor([[0.0] * VOCAB, [float("nan")] * VOCAB]))


def params(extra=None, **settings):
    return types.SimpleNamespace(**{"temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": 7, "extra_args": extra, **settings})


@pytest.fixture
def keys(tmp_path, monkeypatch, key_of):
    """A directory of keys that requests may name, and a default."""
    held = tmp_path / "keys"
    held.mkdir()
    for name, (scheme, dialect) in {"a.toml": ("gumbel", "native"), "b.toml": ("green-list", "native")}.items():
        (held / name).write_text(key_of(scheme, dialect).read_text())
        (held / name).chmod(0o600)
    watermark.keygen(held / "root.toml", root=True)
    (held / "c.toml").write_text(f'scheme = "gumbel"\ndialect = "native"\nvocab_size = {VOCAB}\nroot = "root.toml"\npath = "acme/c-{{0..3}}"\n')
    (held / "c.toml").chmod(0o600)
    monkeypatch.setenv("STILLHUNT_WATERMARK_KEYS", str(held))
    monkeypatch.delenv("STILLHUNT_WATERMARK_KEY", raising=False)
    return held


def test_vllm_marks_each_request_with_its_key_through_preemption_and_moves(engine, keys):
    plug_in = engine("vllm", "vllm.v1.sample.logits_processor")
    from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality

    processor = plug_in.Watermark(None, torch.device("cpu"), False)
    assert isinstance(processor, LogitsProcessor) and not processor.is_argmax_invariant()
    told = {
        "a": ({"stillhunt": {"key": "a.toml"}}, dict(seed=1)),
        "b": ({"stillhunt": {"key": "b.toml"}}, dict(seed=2, temperature=0.8, top_p=0.9)),
        "c": ({"stillhunt": {"key": "c.toml", "cohort": "acme/c-2"}}, dict(seed=3, top_k=50)),
        "out": ({"stillhunt": False}, dict(seed=4)),
        "none": (None, dict(seed=5)),
    }
    prompts = {name: [at + 1, 2, 3, 4, 5, 6] for at, name in enumerate(told)}
    outputs = {name: [] for name in told}
    add = lambda index, name: (index, params(told[name][0], **told[name][1]), prompts[name], outputs[name])
    batch = []

    def change(removed=(), added=(), moved=()):
        processor.update_state(BatchUpdate(batch_size=len(batch), removed=list(removed), added=list(added), moved=list(moved)))

    def step():
        rows = torch.from_numpy(np.stack([logits_of(prompts[name] + outputs[name]) for name in batch]))
        before = rows.clone()
        marked = processor.apply(rows)
        for at, name in enumerate(batch):
            if name in ("out", "none"):
                assert torch.equal(marked[at], before[at]), name
            outputs[name].append(int(marked[at].argmax()))
        processor.update_state(None)

    batch[:] = ["a", "b", "c", "out", "none"]
    change(added=[add(at, name) for at, name in enumerate(batch)])
    for _ in range(20):
        step()
    # "b" is preempted: its place is taken by the last, and two others change places.
    batch[:] = ["c", "none", "a", "out"]
    change(removed=[1], moved=[(4, 1, MoveDirectionality.UNIDIRECTIONAL), (0, 2, MoveDirectionality.SWAP)])
    for _ in range(20):
        step()
    # It is resumed, with its output so far; "a" ends and a new request of the same key takes its place.
    finished, outputs["a"] = outputs["a"], []
    batch.append("b")
    change(added=[add(4, "b"), add(2, "a")])
    for _ in range(20):
        step()
    assert finished == plain(keys / "a.toml", prompts["a"], finished, 1)
    assert outputs["a"] == plain(keys / "a.toml", prompts["a"], outputs["a"], 1)
    assert len(outputs["b"]) == 40 and outputs["b"] == plain(keys / "b.toml", prompts["b"], outputs["b"], 2, temperature=0.8, top_p=0.9)
    assert len(outputs["c"]) == 60 and outputs["c"] == plain(keys / "c.toml", prompts["c"], outputs["c"], 3, top_k=50, path="acme/c-2")


def test_vllm_takes_tokens_back_and_waits_for_unknown_ones(engine, keys):
    plug_in = engine("vllm", "vllm.v1.sample.logits_processor")
    from vllm.v1.sample.logits_processor import BatchUpdate

    processor, prompt, output = plug_in.Watermark(None, torch.device("cpu"), False), [1, 2, 3, 4, 5], []
    processor.update_state(BatchUpdate(batch_size=1, removed=[], added=[(0, params({"stillhunt": {"key": "a.toml"}}), prompt, output)], moved=[]))
    step = lambda: int(processor.apply(torch.from_numpy(logits_of(prompt + output)[None].copy())).argmax())
    for _ in range(12):
        output.append(step())
    del output[8:]
    output.extend([7, 7, 7, 7, 7])
    request = watermark.Request(watermark.Planter(str(keys / "a.toml")), prompt, seed=7)
    request.extend(output)
    row = logits_of(prompt + output)[None].copy()
    watermark.mark_rows([request], row)
    assert step() == int(row.argmax())
    output.append(-1)
    row = torch.from_numpy(logits_of(prompt + output[:-1])[None].copy())
    with pytest.warns(RuntimeWarning, match="not marked"):
        assert torch.equal(processor.apply(row.clone()), row)


def test_vllm_requests_choose_names_and_no_files(engine, keys, monkeypatch):
    plug_in = engine("vllm", "vllm.v1.sample.logits_processor")
    valid = plug_in.Watermark.validate_params
    valid(params(None))
    valid(params({"stillhunt": {"key": "a.toml"}}))
    valid(params({"stillhunt": '{"key": "c.toml", "cohort": "acme/c-2"}'}))
    assert plug_in.key_of({"stillhunt": "false"}) is None
    for bad in ["../keys/a.toml", "/etc/passwd", ".hidden", "", 3, "none.toml"]:
        with pytest.raises(ValueError) as raised:
            valid(params({"stillhunt": {"key": bad}}))
        assert str(keys) not in str(raised.value)
    for bad in [{"keys": "a.toml"}, "a.toml", {"key": "c.toml", "cohort": "else/where"}, {"key": "c.toml", "cohort": 4}]:
        with pytest.raises(ValueError):
            valid(params({"stillhunt": bad}))
    monkeypatch.delenv("STILLHUNT_WATERMARK_KEYS")
    with pytest.raises(ValueError, match="STILLHUNT_WATERMARK_KEYS"):
        valid(params({"stillhunt": {"key": "a.toml"}}))
    monkeypatch.setenv("STILLHUNT_WATERMARK_KEY", str(keys / "b.toml"))
    valid(params(None))


def test_greedy_requests_are_marked_where_there_are_scores_to_raise(engine, keys, monkeypatch):
    plug_in = engine("vllm", "vllm.v1.sample.logits_processor")
    from vllm.v1.sample.logits_processor import BatchUpdate

    processor = plug_in.Watermark(None, torch.device("cpu"), False)
    added = [(at, params({"stillhunt": {"key": name}}, temperature=0.0), [1, 2, 3, 4, 5], []) for at, name in enumerate(["a.toml", "b.toml"])]
    processor.update_state(BatchUpdate(batch_size=2, removed=[], added=added, moved=[]))
    rows = torch.from_numpy(np.stack([logits_of([4, 5])] * 2))
    marked = processor.apply(rows.clone())
    assert torch.equal(marked[0], rows[0]), "nothing to decide for the key of gumbel"
    assert torch.isfinite(marked[1]).sum() == 1


def test_sglang_marks_what_custom_params_say(engine, keys):
    plug_in = engine("sglang", "sglang.srt.sampling.custom_logit_processor")
    from sglang.srt.sampling.custom_logit_processor import CustomLogitProcessor

    processor = plug_in.Watermark()
    assert isinstance(processor, CustomLogitProcessor)
    requests = []
    for at, told in enumerate([{"key": "a.toml", "seed": 1}, {"key": "b.toml", "seed": 2, "top_p": 0.9}, None, False]):
        sampling = types.SimpleNamespace(temperature=0.8, top_k=1 << 30, top_p=1.0)
        req = types.SimpleNamespace(origin_input_ids=[at + 1, 2, 3, 4, 5], output_ids=[], sampling_params=sampling)
        requests.append({"__req__": req, **({} if told is None else {"stillhunt": told})})
    for _ in range(30):
        rows = torch.from_numpy(np.stack([logits_of(r["__req__"].origin_input_ids + r["__req__"].output_ids) for r in requests]))
        before = rows.clone()
        marked = processor(rows, requests)
        assert torch.equal(marked[2:], before[2:])
        for row, of in zip(marked, requests):
            of["__req__"].output_ids.append(int(row.argmax()))
    for of, name, seed, top_p in zip(requests, ["a.toml", "b.toml"], [1, 2], [1.0, 0.9]):
        req = of["__req__"]
        assert req.output_ids == plain(keys / name, req.origin_input_ids, req.output_ids, seed, temperature=0.8, top_p=top_p)
    # With the overlapped schedule the newest token is not there yet: nothing is marked, and that is said.
    lagging = requests[0]["__req__"].output_ids.pop()
    rows = torch.from_numpy(logits_of([lagging, lagging])[None].copy())
    with pytest.warns(RuntimeWarning, match="not marked"):
        assert torch.equal(processor(rows.clone(), requests[:1]), rows)
    if hasattr(CustomLogitProcessor, "to_str"):
        assert json.loads(plug_in.Watermark.to_str())
