"""Planting in SGLang: a custom logit processor.

    python -m sglang.launch_server --enable-custom-logit-processor --disable-overlap-schedule …

and for each request `custom_logit_processor=stillhunt.sglang.Watermark.to_str()` with
`custom_params={"stillhunt": {"key": "acme.toml", "cohort": "acme/m7/c-12", "temperature": 0.8, "top_k": 40, "top_p": 0.95, "seed": 7}}`. Keys, the default
key and opting out are as in `stillhunt.vllm`. The sampling settings stand in `custom_params`, or are read from the request's own `sampling_params`.
With the overlapped schedule the last token is not known yet when the next is sampled, so a mark would stand in the wrong context: such tokens are left
unmarked, and a warning says so.
"""

from __future__ import annotations

import secrets
from typing import Any

import torch
from sglang.srt.sampling.custom_logit_processor import CustomLogitProcessor

from ._native import Request, mark_rows
from ._serving import Known, request, unmarked

_SETTINGS = ("temperature", "top_k", "top_p")


class _Served:
    """What marks a request, if anything does, and how many of its tokens have been sampled."""

    def __init__(self, known: Known | None) -> None:
        self.known, self.sampled = known, 0


def _served(params: dict[str, Any], req: Any) -> _Served:
    """Made once, kept with the request."""
    kept = getattr(req, "_stillhunt", None)
    if isinstance(kept, _Served):
        return kept
    told_of = params.get("stillhunt")
    extra = {"stillhunt": told_of}
    sampling = getattr(req, "sampling_params", None)
    settings = {name: getattr(sampling, name, None) for name in _SETTINGS}
    if isinstance(told_of, dict):
        settings.update({name: told_of[name] for name in _SETTINGS if name in told_of})
        extra = {"stillhunt": {name: value for name, value in told_of.items() if name not in _SETTINGS}}
    top_k = settings["top_k"]
    greedy = top_k == 1
    made = request(
        extra,
        list(req.origin_input_ids),
        temperature=0.0 if greedy else 1.0 if settings["temperature"] is None else float(settings["temperature"]),
        # SGLang writes "all" as a very large number.
        top_k=0 if top_k is None or top_k >= 1 << 30 else int(top_k),
        top_p=1.0 if settings["top_p"] is None else float(settings["top_p"]),
        seed=None,
        drawn=secrets.randbits(63),
    )
    req._stillhunt = _Served(None if made is None else Known(made))
    return req._stillhunt  # type: ignore[no-any-return]


class Watermark(CustomLogitProcessor):  # type: ignore[misc]
    """Marks the rows of requests that have a key."""

    def __call__(self, logits: Any, custom_param_list: list[dict[str, Any]] | None = None) -> Any:
        """Marks in place; a row is left as it is where its request has no key."""
        requests: list[Request | None] = [None] * len(logits)
        for row, params in enumerate(custom_param_list or []):
            req = (params or {}).get("__req__")
            if req is None:
                continue
            served = _served(params, req)
            if served.known is None:
                continue
            lags = len(req.output_ids) < served.sampled
            served.sampled = max(served.sampled, len(req.output_ids)) + 1
            requests[row] = None if lags else served.known.told(req.output_ids)
            if requests[row] is None:
                unmarked("the last token is not known yet; --disable-overlap-schedule waits for it")
        if all(one is None for one in requests):
            return logits
        marked = logits.detach().to("cpu", torch.float32, copy=True).contiguous()
        mark_rows(requests, marked.numpy())
        return logits.copy_(marked.to(logits.device, logits.dtype))
