"""What the plug-ins of serving engines have in common: which key a request is marked with, and with what settings."""

from __future__ import annotations

import json
import os
import warnings
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ._native import Planter, Request

KEY_VARIABLE = "STILLHUNT_WATERMARK_KEY"
"""Environment variable: key file of requests that name none."""
KEYS_VARIABLE = "STILLHUNT_WATERMARK_KEYS"
"""Environment variable: directory that holds the key files which requests may name."""


@lru_cache(maxsize=4096)
def planter(key_file: str, path: str | None) -> Planter:
    """A key, read once."""
    return Planter(key_file, path)


def _told(extra: Mapping[str, Any] | None) -> Any:
    told = (extra or {}).get("stillhunt")
    if isinstance(told, str):
        try:
            return json.loads(told)
        except ValueError:
            raise ValueError("expected JSON in the text of stillhunt") from None
    return told


def key_of(extra: Mapping[str, Any] | None) -> tuple[str, str | None] | None:
    """Key file and path of a request, or None where it is not to be marked.

    `extra["stillhunt"]` is False (opted out) or a table, or the JSON of either where an interface takes no tables, with `key` (the name of a file in the directory of keys), `cohort` (the path below the root that
    the key file names) and `seed`. Without it the default key marks, where there is one. Names come from requests, so they are names and no
    paths: whoever may send requests must not choose files.
    """
    told = _told(extra)
    # An interface of numbers and texts turns False into 0.
    if told is not None and told == 0:
        return None
    if told is None or told is True:
        told = {}
    if not isinstance(told, Mapping):
        raise ValueError("expected stillhunt to be false or a table with key, cohort, seed")
    unknown = sorted(set(told) - {"key", "cohort", "seed"})
    if unknown:
        raise ValueError(f"expected key, cohort or seed in stillhunt, got {unknown[0][:40]!r}")
    name, cohort = told.get("key"), told.get("cohort")
    if cohort is not None and not isinstance(cohort, str):
        raise ValueError("expected a path as stillhunt.cohort")
    if name is None:
        default = os.environ.get(KEY_VARIABLE)
        return (default, cohort) if default else None
    keys = os.environ.get(KEYS_VARIABLE)
    if not keys:
        raise ValueError(f"expected {KEYS_VARIABLE} to name the directory of keys, since a request names one")
    if not isinstance(name, str) or not name or name != os.path.basename(name) or name.startswith("."):
        raise ValueError("expected the name of a key file as stillhunt.key")
    return os.path.join(keys, name), cohort


def seed_of(extra: Mapping[str, Any] | None, seed: int | None, prompt: Sequence[int], drawn: int) -> int:
    """The seed of a request: its own, or one that `drawn` and its prompt decide."""
    told = _told(extra)
    if isinstance(told, Mapping) and told.get("seed") is not None:
        seed = int(told["seed"])
    if seed is None:
        seed = drawn ^ zlib.crc32(repr(list(prompt[-64:])).encode())
    return seed % 2**64


def request(
    extra: Mapping[str, Any] | None,
    prompt: Sequence[int],
    *,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int | None,
    drawn: int,
) -> Request | None:
    """What marks a request, or None. A temperature of 0 is greedy decoding: see `Choice::Greedy` in the Rust source."""
    key = key_of(extra)
    if key is None:
        return None
    how = "greedy" if temperature <= 1e-5 else "drawn"
    return Request(
        planter(*key),
        list(prompt),
        temperature=1.0 if how == "greedy" else max(temperature, 1e-3),
        top_k=max(int(top_k), 0) if how == "drawn" else 0,
        top_p=float(top_p) if how == "drawn" else 1.0,
        seed=seed_of(extra, seed, prompt, drawn),
        how=how,
    )


class Known:
    """A request while it is served, with as much of its response as it has been told."""

    __slots__ = ("_last", "_length", "request")

    def __init__(self, request: Request) -> None:
        self.request, self._length, self._last = request, 0, -1

    def told(self, output: Sequence[int]) -> Request | None:
        """The request with the response so far; None where its newest token is not known yet: a mark would stand in the wrong context."""
        n = len(output)
        if n and output[-1] < 0:
            return None
        if n < self._length or (self._length and output[self._length - 1] != self._last):
            # The engine has taken tokens back.
            self.request.truncate(0)
            self._length = 0
        if n > self._length:
            self.request.extend(list(output[self._length :]))
        self._length, self._last = n, output[-1] if n else -1
        return self.request


def unmarked(why: str) -> None:
    """Says, once a process, that tokens go out without a mark: an exception would stop the engine for everybody."""
    warnings.warn(f"stillhunt: tokens are not marked: {why}", RuntimeWarning, stacklevel=2)
