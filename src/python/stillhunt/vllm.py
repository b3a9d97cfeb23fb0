"""Planting in vLLM (V1): a logits processor that vLLM finds by its entry point once this package is installed beside it.

    STILLHUNT_WATERMARK_KEY=/etc/stillhunt/key.toml vllm serve MODEL

marks every request; `STILLHUNT_WATERMARK_KEYS=DIR` lets a request choose: `extra_args={"stillhunt": {"key": "acme.toml", "cohort": "acme/m7/c-12"}}` in
`SamplingParams` (in `vllm_xargs` of the HTTP interface, which takes no tables, the same as JSON in a text), `{"stillhunt": False}` opts out. The token is drawn here, by the request's own temperature, top-k, top-p
and seed, and left alone in the logits. What vLLM would do to logits after its processors (penalties, min-p) then changes nothing. A greedy request
is marked only where the scheme has scores to raise (green lists, tournaments): the key of a gumbel scheme has nothing to decide there.
Speculative decoding skips logits processors, so it must be off.
"""

from __future__ import annotations

import secrets
from typing import Any

import torch
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality

from ._native import mark_rows
from ._serving import Known, key_of, planter, request, unmarked


class Watermark(LogitsProcessor):  # type: ignore[misc]
    """The requests of the persistent batch, by their index."""

    @classmethod
    def validate_params(cls, sampling_params: Any) -> None:
        """Refuses a request that names a key which is none, before it is scheduled."""
        key = key_of(sampling_params.extra_args)
        if key is not None:
            try:
                planter(*key)
            except Exception:
                # The place of keys is not for clients.
                raise ValueError("expected a known key and cohort in stillhunt") from None

    def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:
        self._batch: dict[int, tuple[Known, Any]] = {}
        self._drawn = secrets.randbits(63)

    def is_argmax_invariant(self) -> bool:
        """Marking changes which token is the largest."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Takes requests out, in, and from place to place. One that comes back after it was preempted brings its output along."""
        if batch_update is None:
            return
        for index in batch_update.removed:
            self._batch.pop(index, None)
        for index, params, prompt, output in batch_update.added:
            self._drawn = (self._drawn + 0x9E3779B97F4A7C15) % 2**63
            made = request(
                params.extra_args,
                prompt or [],
                temperature=params.temperature,
                top_k=params.top_k,
                top_p=params.top_p,
                seed=params.seed,
                drawn=self._drawn,
            )
            if made is None:
                self._batch.pop(index, None)
            else:
                self._batch[index] = (Known(made), output)
        for first, second, direction in batch_update.moved:
            left, right = self._batch.pop(first, None), self._batch.pop(second, None)
            if left is not None:
                self._batch[second] = left
            if right is not None and direction == MoveDirectionality.SWAP:
                self._batch[first] = right

    def apply(self, logits: Any) -> Any:
        """Marks the rows of requests that have a key; the others are not touched."""
        rows, requests = [], []
        for index in sorted(index for index in self._batch if index < len(logits)):
            known, output = self._batch[index]
            now = known.told(output)
            if now is None:
                unmarked("the engine does not say which token it sampled last")
            else:
                rows.append(index)
                requests.append(now)
        if not rows:
            return logits
        whole = len(rows) == len(logits)
        chosen = logits if whole else logits[rows]
        marked = chosen.detach().to("cpu", torch.float32, copy=True).contiguous()
        mark_rows(requests, marked.numpy())
        back = marked.to(logits.device, logits.dtype)
        if whole:
            return logits.copy_(back)
        logits[rows] = back
        return logits
