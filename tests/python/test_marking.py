"""Marking rows without a serving engine: each scheme equals plain planting and is found, also in batches and as requests."""

import numpy as np
import pytest
from conftest import SCHEMES, VOCAB

import stillhunt
from stillhunt import watermark

PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]


def rows(steps):
    return np.random.default_rng(4).normal(0, 1.5, (steps, VOCAB)).astype(np.float32)


@pytest.mark.parametrize("scheme,dialect", SCHEMES)
def test_a_batch_and_requests_equal_plain_planting(scheme, dialect, key_of):
    key, logits = key_of(scheme, dialect), rows(40)
    planter = watermark.Planter(str(key))
    assert (planter.scheme, planter.dialect, planter.vocab_size) == (scheme, dialect, VOCAB)
    plain = [watermark.plant(logits, key, prompt_tokens=PROMPT, seed=seed, temperature=0.9, top_k=200) for seed in (5, 6, 7)]
    requests = [watermark.Request(planter, PROMPT, temperature=0.9, top_k=200, seed=seed) for seed in (5, 6, 7)]
    for step in range(len(logits)):
        batch = np.repeat(logits[step : step + 1], 3, axis=0)
        ids = np.array([[0] * 2 + PROMPT + tokens[:step] for tokens in plain], dtype=np.int64)
        planter.mark(ids, len(PROMPT) + 2, [2, 2, 2], batch, 0.9, 200, 1.0, 5, "drawn")
        assert batch.argmax(axis=1).tolist() == [tokens[step] for tokens in plain]
        assert np.isfinite(batch).sum() == 3
        batch = np.repeat(logits[step : step + 1], 4, axis=0)
        watermark.mark_rows([requests[2], None, requests[0], requests[1]], batch)
        assert batch[[2, 3, 0]].argmax(axis=1).tolist() == [tokens[step] for tokens in plain]
        assert np.array_equal(batch[1], logits[step])
        for request, tokens in zip(requests, plain):
            request.extend(tokens[step : step + 1])


@pytest.mark.parametrize("scheme,dialect", [pair for pair in SCHEMES if pair[1] == "native"])
def test_what_is_planted_is_found_and_nothing_else(scheme, dialect, key_of):
    key, other = key_of(scheme, dialect), key_of(scheme, dialect)
    logits = rows(300)
    marked = watermark.plant(logits, key, prompt_tokens=PROMPT)
    free = [int(row.argmax()) for row in logits + np.random.default_rng(9).gumbel(size=logits.shape)]
    verdicts = lambda key_file, tokens: watermark.detect(key_file=key_file, documents=[tokens])["results"][0]["verdict"]
    assert verdicts(key, marked) == "Marked"
    assert verdicts(other, marked) != "Marked"
    assert verdicts(key, free) != "Marked"
    report = watermark.detect(key_file=[key, other], documents=[{"tokens": marked, "prompt_tokens": PROMPT, "id": "one"}])
    assert [result["verdict"] for result in report["results"]].count("Marked") == 1 and len(report.table()) == 2


def test_wrong_arrays_are_refused_with_words(key_of):
    planter = watermark.Planter(str(key_of("gumbel", "native")))
    ids = np.zeros((1, 5), dtype=np.int64)
    with pytest.raises(stillhunt.InputError, match="expected 512 logits, got 10"):
        planter.mark(ids, 5, [0], np.zeros((1, 10), np.float32), 1.0, 0, 1.0, 0, "drawn")
    with pytest.raises(stillhunt.InputError, match="expected a token id, got -7"):
        planter.mark(ids - 7, 5, [0], np.zeros((1, VOCAB), np.float32), 1.0, 0, 1.0, 0, "drawn")
    with pytest.raises(stillhunt.InputError, match="a prompt within them"):
        planter.mark(ids, 6, [0], np.zeros((1, VOCAB), np.float32), 1.0, 0, 1.0, 0, "drawn")
    with pytest.raises(stillhunt.ConfigError, match="temperature"):
        planter.mark(ids, 5, [0], np.zeros((1, VOCAB), np.float32), 0.0, 0, 1.0, 0, "drawn")
    with pytest.raises(TypeError):
        planter.mark(ids, 5, [0], np.zeros((1, VOCAB)), 1.0, 0, 1.0, 0, "drawn")
    readonly = np.zeros((1, VOCAB), np.float32)
    readonly.flags.writeable = False
    with pytest.raises((ValueError, TypeError)):
        planter.mark(ids, 5, [0], readonly, 1.0, 0, 1.0, 0, "drawn")


def test_keys_are_made_once_and_ranges_are_named(tmp_path):
    root, key = tmp_path / "root.toml", tmp_path / "c.toml"
    watermark.keygen(root, root=True)
    name = watermark.derive(key, root=root, path="acme/m7/c-1", scheme="gumbel", vocab_size=VOCAB)
    assert watermark.Planter(str(key)).key_id == name
    with pytest.raises(stillhunt.ConfigError, match="expected no file"):
        watermark.keygen(root, root=True)
    many = tmp_path / "many.toml"
    many.write_text(f'scheme = "gumbel"\ndialect = "native"\nvocab_size = {VOCAB}\nroot = "root.toml"\npath = "acme/m7/c-{{0..2}}"\n')
    with pytest.raises(stillhunt.ConfigError, match="a range of 3"):
        watermark.Planter(str(many))
    logits = rows(50)
    assert watermark.plant(logits, many, path="acme/m7/c-1") == watermark.plant(logits, key)
