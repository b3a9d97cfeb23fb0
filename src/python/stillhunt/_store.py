"""A store, open for an investigator."""

from __future__ import annotations

import html
from os import PathLike, fspath
from typing import Any, Literal

from . import _native
from ._command import Answer, printed, run


class Store:
    """The store of a directory, as its last commit has it; open it again to see what a later night adds.

    `key` is the account key file, which is needed where accounts are given by their own names.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        *,
        key: str | PathLike[str] | None = None,
        model: str | PathLike[str] | None = None,
    ) -> None:
        self.path = fspath(path)
        self._native = _native.Store(self.path, None if key is None else fspath(key), None if model is None else fspath(model))

    def similar(
        self,
        text: str | None = None,
        *,
        exchange_id: str | None = None,
        k: int = 10,
        since: str | None = None,
        until: str | None = None,
        account: str | None = None,
        served_model: str | None = None,
        family: str | None = None,
    ) -> Answer:
        """The `k` nearest prompts to a text or to that of an exchange, each with who sent it; `k=0`: all that the family rule accepts."""
        found = self._native.similar(text, exchange_id, k, since, until, account, served_model, family)
        return Answer(found, "hits")

    def family(self, family_id: str) -> Answer:
        """One family: template, slots, accounts, exchanges."""
        return Answer(self._native.family(family_id), "members")

    def families(self, **options: Any) -> Answer:
        """The list of families; `options` as `stillhunt family list` has them: `new=True, accounts=5, level="near-duplicate", most=50`."""
        return run("family", "list", store=self.path, main="families", **options)

    def account(self, account: str) -> Answer:
        """One account, by its pseudonym or its own name, with its families."""
        return Answer(self._native.account(account), "families")

    def rings(self) -> Answer:
        """All rings, the surest first."""
        return run("ring", "list", store=self.path, main="rings")

    def ring(self, ring_id: str) -> Answer:
        """One ring: what it shared on which day, and its members."""
        return run("ring", ring_id, store=self.path, main="members")

    def export(
        self, what: Literal["members", "families", "rings"] = "members", *, level: str | None = None
    ) -> _native.Table:
        """Members of families, families, or members of rings, as a table in Arrow's columns."""
        if what == "families":
            text, _ = printed("export families", store=self.path, level=level, format="json")
            return _native.Table.of_json(text, "/families")
        return self._native.export(what, level)

    def __repr__(self) -> str:
        return f"stillhunt.Store({self.path!r})"

    def _repr_html_(self) -> str:
        stats = run("store stats", store=self.path)
        names = ("nights", "exchanges", "distinct_prompts", "accounts", "bytes")
        cells = "".join(f"<tr><th>{name.replace('_', ' ')}</th><td>{int(stats[name]):,}</td></tr>" for name in names)
        return f"<table><caption>{html.escape(repr(self))}</caption><tbody>{cells}</tbody></table>"
