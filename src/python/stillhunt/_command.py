"""Commands in this process, and what they answer."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from os import PathLike, fspath
from typing import Any

from . import _native

Progress = Callable[[str, int, int, "int | None"], object]
"""Called as `progress(stage, rows, bytes, total_bytes)`, some twenty times a second; `total_bytes` is None where it is not known."""

_SHOWN_ROWS, _SHOWN_COLUMNS, _SHOWN_CHARS = 20, 8, 80
_HIDDEN = ("template_parts", "slots", "shared", "fragments", "account_ids", "examples")


class Answer(dict[str, Any]):
    """The JSON of a command as a dict, with its main list as a table.

    `json` is the text itself, `notes` what the command said beside it. `table()` gives Arrow columns without a copy: `pyarrow.table(a.table())`,
    `polars.DataFrame(a.table())`, `pandas.DataFrame.from_arrow(a.table())`.
    """

    def __init__(self, text: str, main: str = "", notes: list[str] | None = None) -> None:
        super().__init__(json.loads(text))
        self.json, self.main, self.notes = text, main, notes or []

    def table(self, name: str | None = None) -> _native.Table:
        """The list `name` of the answer, by default its main one, as a table."""
        return _native.Table.of_json(self.json, f"/{name or self.main}")

    def _repr_html_(self) -> str:
        rows = self.get(self.main)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            return f"<pre>{_cell(dict(self), 4000)}</pre>"
        names: list[str] = []
        for row in rows[:_SHOWN_ROWS]:
            names += [name for name in row if name not in names and name not in _HIDDEN]
        names = names[:_SHOWN_COLUMNS]
        head = "".join(f"<th>{_cell(name)}</th>" for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{_cell(row.get(name))}</td>" for name in names) + "</tr>" for row in rows[:_SHOWN_ROWS]
        )
        more = f" (the first {_SHOWN_ROWS} are shown)" if len(rows) > _SHOWN_ROWS else ""
        caption = f"<caption>{len(rows)} {_cell(self.main)}{more}</caption>"
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: object, most: int = _SHOWN_CHARS) -> str:
    """One value in one line of HTML. Text of logs is written by strangers: markup, and what turns or hides text, is made harmless."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = text if len(text) <= most else text[: most - 1] + "…"
    return html.escape("".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in text))


def printed(
    command: str,
    *values: str | PathLike[str],
    progress: Progress | None = None,
    **options: Any,
) -> tuple[str, list[str]]:
    """Runs a command; returns what it prints, and its notes. No value is taken for a flag, whatever it begins with."""
    out = command.split()
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is True:
                out.append(flag)
            elif one is not None and one is not False:
                out.append(f"{flag}={fspath(one) if isinstance(one, PathLike) else one}")
    return _native.run(out + (["--", *(fspath(value) for value in values)] if values else []), progress)


def run(
    command: str, *values: str | PathLike[str], progress: Progress | None = None, main: str = "", **options: Any
) -> Answer:
    """Runs a command and returns its JSON: `run("ring", "list", store="st")` is `stillhunt ring list --store st --format json`.

    `command` is its name (`"watermark detect"`), `values` are what stands without a flag, `options` its flags with `_` for `-`; `main` names the
    list that the answer's table has.
    """
    text, notes = printed(command, *values, progress=progress, **{**options, "format": "json"})
    return Answer(text, main, notes)
