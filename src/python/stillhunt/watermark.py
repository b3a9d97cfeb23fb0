"""Watermarks: keys, planting, tests. The fields, numbers and verdicts are those of `stillhunt watermark`."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native
from ._command import Answer, Progress, printed, run
from ._native import Planter, Request, mark_rows


def _set(fields: dict[str, Any]) -> list[str]:
    """Fields in TOML's form, which for these is JSON's."""
    return [f"{name}={json.dumps(value)}" for name, value in fields.items()]


def keygen(
    file: str | PathLike[str],
    scheme: str | None = None,
    *,
    dialect: str = "native",
    vocab_size: int | None = None,
    root: bool = False,
    id: str | None = None,
    **fields: Any,
) -> str:
    """Writes a new key to `file`, which must not exist; returns its id. `root=True`: a root, from which other keys follow."""
    options: dict[str, Any] = {"scheme": scheme, "dialect": dialect, "vocab_size": vocab_size, "root": root, "id": id, "set": _set(fields)}
    return printed("watermark keygen", file, **options)[0].strip()


def derive(
    file: str | PathLike[str],
    *,
    root: str | PathLike[str],
    path: str,
    scheme: str,
    dialect: str = "native",
    vocab_size: int | None = None,
    id: str | None = None,
    **fields: Any,
) -> str:
    """Writes the key of a path below a root to `file`; returns its id."""
    options: dict[str, Any] = {"root": root, "path": path, "scheme": scheme, "dialect": dialect, "vocab_size": vocab_size, "id": id}
    return printed("watermark derive", file, **options, set=_set(fields))[0].strip()


def detect(
    *files: str | PathLike[str],
    key_file: str | PathLike[str] | Sequence[str | PathLike[str]],
    documents: Iterable[str | Sequence[int] | Mapping[str, Any]] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Answer:
    """Tests files, or `documents` in memory, for each key; returns the report, its results as a table.

    A document is a text, a list of token ids, or a row as the command reads it (`tokens` or `text`, `prompt_tokens` or `prompt`, `id`). `options` are
    the flags of `stillhunt watermark detect`: `tokenizer`, `decoys`, `strength`, `trace`, `chart`, ….
    """
    keys = [key_file] if isinstance(key_file, (str, PathLike)) else list(key_file)
    named = {"key_file": keys, "progress": progress, "main": "results", **options}
    if documents is None:
        return run("watermark detect", *files, **named)
    with tempfile.TemporaryDirectory(prefix="stillhunt-") as held:
        place = os.path.join(held, "documents.jsonl")
        with open(place, "w", encoding="utf-8") as out:
            for document in documents:
                out.write(json.dumps(_row(document)) + "\n")
        return run("watermark detect", *files, place, **named)


def _row(document: str | Sequence[int] | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(document, str):
        return {"text": document}
    if isinstance(document, Mapping):
        return {name: value if isinstance(value, str) else _ids(value) for name, value in document.items()}
    return {"tokens": _ids(document)}


def _ids(tokens: Iterable[int]) -> list[int]:
    return [int(token) for token in tokens]


def plant(
    logits: npt.ArrayLike,
    key_file: str | PathLike[str],
    *,
    prompt_tokens: Sequence[int] = (),
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 1,
    path: str | None = None,
    root: str | PathLike[str] | None = None,
) -> list[int]:
    """Samples one response: row i of `logits`, shape (steps, vocabulary), is what the model says after the prompt and i tokens."""
    planter = _native.Planter(fspath(key_file), path, None if root is None else fspath(root))
    rows = np.ascontiguousarray(logits, dtype=np.float32)
    return planter.plant(rows, _ids(prompt_tokens), temperature, top_k, top_p, seed)


def schemes() -> Answer:
    """All schemes with their dialects and the fields of their key files."""
    return run("watermark schemes", main="schemes")


__all__ = ["Planter", "Request", "derive", "detect", "keygen", "mark_rows", "plant", "schemes"]
