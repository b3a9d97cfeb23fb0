"""Planting in transformers' `generate`: `model.generate(..., logits_processor=[stillhunt.transformers.Watermark("key.toml")])`."""

from __future__ import annotations

from os import PathLike, fspath
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import LogitsProcessor

from ._native import Planter


class Watermark(LogitsProcessor):  # type: ignore[misc]
    """Marks what `generate` samples with the key of `key_file`, of any scheme.

    A scheme whose key picks the token (gumbel) leaves that token alone in the scores, so that greedy decoding and sampling both take it; the others hand
    on scores that `generate` samples from. Temperature, top-k and top-p belong here and not into `generate`, because a mark is made of what they
    leave: `generate` would apply its own afterwards. `draw=True` draws the token here for every scheme, from double precision: with a `seed`, row 0 is
    then token for token what `stillhunt.watermark.plant` and `stillhunt watermark plant` sample from the same logits, row i what they sample with seed + i.

    The first call of a `generate` says which tokens are the prompt; `pad_token_id` names the padding on the left of it, which is no context. Without
    `seed` every `generate` takes one from torch's own generator. One object serves one `generate` at a time. Beam search reorders rows: their
    contexts are right, but beams are no samples.
    """

    def __init__(
        self,
        key_file: str | PathLike[str],
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        draw: bool = False,
        pad_token_id: int | None = None,
        path: str | None = None,
        root: str | PathLike[str] | None = None,
    ) -> None:
        self.planter = Planter(fspath(key_file), path, None if root is None else fspath(root))
        self.temperature, self.top_k, self.top_p = temperature, top_k, top_p
        self.seed, self.how, self.pad_token_id = seed, "drawn" if draw else "engine", pad_token_id
        self.reset()

    def reset(self) -> None:
        """Forgets the `generate` that was going on: the next call begins another. Needed only where one stops after a single token."""
        self._prompt: npt.NDArray[np.int64] | None = None
        self._length, self._skip, self._seed = 0, [0], 0

    def _goes_on(self, ids: npt.NDArray[np.int64]) -> bool:
        prompt = self._prompt
        if prompt is None or len(ids) != len(prompt) or ids.shape[1] != self._length + 1:
            return False
        return bool(np.array_equal(ids[:, : prompt.shape[1]], prompt))

    def _begin(self, ids: npt.NDArray[np.int64]) -> None:
        self._prompt = ids.copy()
        seed = self.seed
        self._seed = int(torch.randint(0, 2**63 - 1, ()).item()) if seed is None else seed
        if self.pad_token_id is None:
            self._skip = [0] * len(ids)
        else:
            told = ids != self.pad_token_id
            self._skip = [int(row.argmax()) if row.any() else ids.shape[1] for row in told]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        ids = np.ascontiguousarray(input_ids.detach().to("cpu", torch.int64).numpy())
        if not self._goes_on(ids):
            self._begin(ids)
        self._length = ids.shape[1]
        assert self._prompt is not None
        marked = scores.detach().to("cpu", torch.float32, copy=True).contiguous()
        self.planter.mark(
            ids,
            self._prompt.shape[1],
            self._skip,
            marked.numpy(),
            self.temperature,
            self.top_k,
            self.top_p,
            self._seed,
            self.how,
        )
        return marked.to(scores.device, scores.dtype)
