"""Lists of texts, audits, stores, tables, errors, and work that is stopped."""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import ROOT, TEMPLATE, rows

import stillhunt


def test_near_duplicates_of_a_list():
    texts = [row["prompt"] for row in rows()]
    assert stillhunt.near_duplicates(texts + ["ok", "OK "]) == [[0, 1, 2, 3, 4, 5], [8, 9]]
    assert stillhunt.near_duplicates([]) == []
    assert stillhunt.near_duplicates(iter(texts[:1])) == []
    with pytest.raises(stillhunt.ConfigError, match="threshold between"):
        stillhunt.near_duplicates(texts, threshold=9)
    with pytest.raises(TypeError):
        stillhunt.near_duplicates([1, 2])


def test_vectors_have_length_one_and_follow_the_text():
    vectors = stillhunt.embed([TEMPLATE, TEMPLATE.upper(), "Ulaanbaatar in winter", ""])
    assert vectors.shape == (4, 256) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors[:3], axis=1), 1, atol=1e-5) and not vectors[3].any()
    assert np.array_equal(vectors[0], vectors[1]) and vectors[0] @ vectors[2] < 0.5


def test_an_audit_and_its_store(audited, tmp_path):
    store, key, report = audited
    assert report["counts"]["rows_kept"] == 8
    near = [family for family in report["families"] if family["level"] == "near-duplicate"]
    assert [family["accounts"] for family in near] == [6]
    opened = stillhunt.Store(store, key=key)
    hits = opened.similar(TEMPLATE + "how many primes lie below 100?")
    assert hits["hits"][0]["exchange_id"] == "000" and hits["hits"][0]["similarity"] == pytest.approx(1)
    assert opened.similar(exchange_id="000")["hits"][0]["exchange_id"] == "000"
    assert not any(hit["accepted"] for hit in opened.similar("-")["hits"]), "a dash is a text like another"
    family = opened.family(near[0]["id"])
    assert len(family["members"]) == 6 and len(family.table()) == 6
    assert opened.account("acct-0")["requests"] == 1
    assert opened.rings()["rings"] == [] and len(opened.rings().table()) == 0
    assert len(opened.families(level="near-duplicate")["families"]) == 1
    assert "nights" in opened._repr_html_()


def test_the_json_is_that_of_the_command(audited):
    store, key, _ = audited
    opened = stillhunt.Store(store, key=key)
    for answer, command in [
        (opened.similar("how many primes", k=3), ("similar", "how many primes", {"k": None})),
        (opened.account("acct-2"), ("account", "acct-2", {"key": key})),
    ]:
        name, value, options = command
        if name == "similar":
            printed = stillhunt._native.run(["similar", f"--store={store}", "-k3", "--format=json", "--", value])[0]
            assert answer == json.loads(printed)
        else:
            assert answer == stillhunt.run(name, value, store=store, **options)


def test_tables_are_read_by_pyarrow_pandas_and_polars(audited):
    pyarrow = pytest.importorskip("pyarrow")
    store, key, report = audited
    members = stillhunt.Store(store).export("members")
    table = pyarrow.table(members)
    assert table.column_names == ["exchange_id", "account", "family_id", "level", "similarity"]
    assert table.schema.field("exchange_id").type == pyarrow.string(), "ids of digits are text"
    assert table.schema.field("similarity").type == pyarrow.float64()
    assert set(table["exchange_id"].to_pylist()) == {f"00{i}" for i in range(6)} and len(members) == table.num_rows
    families = pyarrow.table(report.table())
    assert families["accounts"].to_pylist() == [family["accounts"] for family in report["families"]]
    assert len(pyarrow.table(stillhunt.Store(store).export("rings"))) == 0
    assert len(stillhunt.Store(store).export("families")) >= 1
    hits = stillhunt.Store(store).similar("how many primes").table()
    assert pyarrow.table(hits).schema.field("account_ids").type == pyarrow.list_(pyarrow.string())
    polars = pytest.importorskip("polars")
    assert polars.DataFrame(members).height == len(members)
    pandas = pytest.importorskip("pandas")
    if hasattr(pandas.DataFrame, "from_arrow"):
        assert len(pandas.DataFrame.from_arrow(members)) == len(members)


def test_errors_have_their_kind_message_and_hint(tmp_path, log):
    with pytest.raises(stillhunt.StoreError):
        stillhunt.Store(tmp_path / "none")
    with pytest.raises(stillhunt.ConfigError, match="unexpected argument '--no-such-flag'"):
        stillhunt.audit(log, store=tmp_path / "s", key=tmp_path / "k", no_such_flag=3)
    with pytest.raises(ValueError):
        stillhunt.audit(log, store=tmp_path / "s", key=tmp_path / "k", threshold=77)
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    with pytest.raises(stillhunt.NothingError) as raised:
        stillhunt.audit(empty, store=tmp_path / "s", key=tmp_path / "k")
    assert "allow-empty" in raised.value.hint and "hint:" in str(raised.value)
    again = pickle.loads(pickle.dumps(raised.value))
    assert (type(again), again.hint) == (stillhunt.NothingError, raised.value.hint)
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{}\n" * 9)
    with pytest.raises(stillhunt.TooManyBadRowsError):
        stillhunt.audit(bad, store=tmp_path / "s", key=tmp_path / "k")
    with pytest.raises(TypeError, match="format"):
        stillhunt.audit(log, store=tmp_path / "s", format="text")


def test_pages_escape_what_strangers_wrote(audited):
    store, key, report = audited
    page = stillhunt.Store(store).similar("limerick on a lighthouse keeper")._repr_html_()
    assert "<b>" not in page and "‮" not in page and "&lt;b&gt;" in page and "<table>" in page
    assert "<table>" in report._repr_html_()


def test_progress_is_told_and_what_it_raises_stops_the_work(tmp_path):
    texts = [f"{i} {i * i} and a number more: {i % 97}" for i in range(60_000)]
    told = []
    stillhunt.near_duplicates(texts[:30_000], progress=lambda *of: told.append(of))
    assert told and all(len(of) == 4 for of in told) and told[-1][0] == "families"

    class Enough(Exception):
        pass

    def stop(stage, rows, *_):
        raise Enough(stage)

    with pytest.raises(Enough):
        stillhunt.near_duplicates(texts, progress=stop)


def test_control_c_stops_an_audit_and_leaves_the_store_as_it_was(tmp_path):
    log, store = tmp_path / "long.jsonl", tmp_path / "store"
    with open(log, "w") as out:
        for i in range(150_000):
            out.write(json.dumps({"id": f"{i}", "account": f"a{i % 999}", "time": 1762000000 + i, "prompt": f"{i} words about {i * 7919} and {i * 31} more"}) + "\n")
    child = (
        "import stillhunt, sys\n"
        "try:\n"
        f"    stillhunt.audit({str(log)!r}, store={str(store)!r}, key={str(tmp_path / 'k')!r}, progress=lambda *of: print(of[0], flush=True))\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True)
    first = process.stdout.readline()
    assert first.strip() == "read", first
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert out.strip().endswith("stopped"), out
    assert stillhunt.run("store stats", store=store)["nights"] == 0


def test_the_interpreter_is_free_meanwhile():
    texts = [f"{i} {i * i} and a number more: {i % 97}" for i in range(40_000)]
    turns, done = [0], threading.Event()

    def turn():
        while not done.is_set():
            turns[0] += 1
            time.sleep(0.001)

    thread = threading.Thread(target=turn)
    thread.start()
    began = time.monotonic()
    stillhunt.near_duplicates(texts)
    took = time.monotonic() - began
    done.set()
    thread.join()
    assert turns[0] > took * 50, f"{turns[0]} turns in {took} s"


def test_the_example_runs():
    """Every cell of the notebook in order, as Jupyter runs them: the last expression of a cell is shown."""
    import ast

    notebook = json.loads((ROOT / "src/python/example.ipynb").read_text())
    names, shown = {}, 0
    before = os.getcwd()
    try:
        for cell in notebook["cells"]:
            assert not cell.get("outputs"), "the notebook is kept without outputs"
            if cell["cell_type"] != "code":
                continue
            tree = ast.parse("".join(cell["source"]))
            last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, "cell", "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
                shown += hasattr(value, "_repr_html_") and bool(value._repr_html_())
    finally:
        os.chdir(before)
    assert shown >= 3


def test_types_are_sound(tmp_path):
    api = pytest.importorskip("mypy.api")
    use = tmp_path / "use.py"
    use.write_text(
        "import stillhunt\n"
        "groups: list[list[int]] = stillhunt.near_duplicates(['a'])\n"
        "answer: stillhunt.Answer = stillhunt.Store('s').similar('t', k=3)\n"
        "rows: int = len(stillhunt.Store('s').export('rings'))\n"
        "stillhunt.Store('s').export('nothing')\n"
    )
    out, err, _ = api.run(["--strict", "--no-incremental", str(use)])
    assert "Found 1 error" in out and 'use.py:5' in out, out + err
    config = ROOT / "src/python/pyproject.toml"
    out, err, status = api.run(["--config-file", str(config), "--no-incremental", "-p", "stillhunt"])
    assert status == 0, out + err
