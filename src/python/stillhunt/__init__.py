"""Audits the serving logs of a language-model provider for model distillation.

The same engine, names and JSON as the command line: `audit` reads logs into a store, `Store` answers an investigator, `near_duplicates` groups
a list of texts, `watermark` makes keys, plants and tests. `stillhunt.transformers`, `stillhunt.vllm` and `stillhunt.sglang` plant where a model
is served; they need those packages and are imported when they are first named.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from typing import Any

import numpy as np
import numpy.typing as npt

from . import _native, errors, watermark
from ._command import Answer, Progress, run
from ._native import Table, __version__
from ._store import Store
from .errors import (
    ConfigError,
    InputError,
    IoError,
    ModelError,
    NothingError,
    StillhuntError,
    StoreError,
    TooManyBadRowsError,
)

_SERVING = ("transformers", "vllm", "sglang")


def __getattr__(name: str) -> Any:
    if name in _SERVING:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def audit(
    *logs: str | PathLike[str],
    store: str | PathLike[str],
    key: str | PathLike[str] | None = None,
    report: str | PathLike[str] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Answer:
    """Reads logs, finds families and rings, commits a night to `store`; returns the report (`report.json` of the command).

    `logs` are files, directories or globs. `options` are the flags of `stillhunt audit` with `_` for `-`: `default_account="gateway"`,
    `known=["licences.txt"]`, `map={"prompt": "body.text"}`. `progress(stage, rows, bytes, total_bytes)` is called while it works; where it raises, or on
    Ctrl-C, the work stops and the store is as it was.
    """
    if isinstance(options.get("map"), dict):
        options["map"] = ",".join(f"{field}={path}" for field, path in options["map"].items())
    # An exit status is for a shell.
    for shell_only in ("format", "exit_code", "at_or_above"):
        if shell_only in options:
            raise TypeError(f"audit() has no option {shell_only!r}")
    named = {"store": store, "key": key, "report": report, **options}
    return run("audit", *logs, progress=progress, main="families", **named)


def near_duplicates(
    texts: Iterable[str],
    *,
    threshold: float | None = None,
    expected_neighbours: float | None = None,
    model: str | PathLike[str] | None = None,
    progress: Progress | None = None,
) -> list[list[int]]:
    """Groups of near-duplicates among `texts`: the indices of each group of two or more, in order.

    The rule is the audit's, at most `expected_neighbours` (0.01) unrelated texts in a text's group; `threshold` (0.5 to 2.5) replaces the
    calibrated scores, some 1.5 to 1.8: templates whose slots differ are one group, unless it is raised to 2.1 or more. Copies up to case, white space and look-alike letters are always one group. To deduplicate, keep the first of each group.
    """
    return _native.near_duplicates(
        list(texts), threshold, expected_neighbours, None if model is None else fspath(model), progress
    )


def embed(
    texts: Sequence[str], *, model: str | PathLike[str] | None = None, progress: Progress | None = None
) -> npt.NDArray[np.float32]:
    """Unit vectors of `texts`, shape (n, 256) for the shipped model; all zero for a text of which the model knows nothing."""
    return _native.embed(list(texts), None if model is None else fspath(model), progress)


__all__ = [
    "Answer",
    "ConfigError",
    "InputError",
    "IoError",
    "ModelError",
    "NothingError",
    "Progress",
    "StillhuntError",
    "Store",
    "StoreError",
    "Table",
    "TooManyBadRowsError",
    "__version__",
    "audit",
    "embed",
    "errors",
    "near_duplicates",
    "run",
    "watermark",
]
