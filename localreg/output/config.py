"""The result of `config`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localreg.errors import LocalregError
from localreg.output.block import aligned
from localreg.output.streams import Renderings, error_as_json
from localreg.output.text import printable
from localreg.registry.defaults import DEFAULT_PORT, default_volume
from localreg.settings import FLAG, Value

_SPOKEN = {
    "format": "table on a terminal, plain otherwise",
    "port": f"{DEFAULT_PORT} or the next free port",
    "volume": default_volume("<name>"),
}
"""Defaults that are a rule instead of a value."""


def render(
    settings: Mapping[str, Value], problems: Sequence[LocalregError] = (), *, project: Path | None, user: Path | None
) -> Renderings:
    """Lay out the value of every setting.

    Args:
        settings: By name.
        problems: The problems in the environment and the files.
        project: The project's file, if there is one.
        user: The path of the user's own file, which may not exist.
    """
    rows = [(name, _shown(name, value), value.source) for name, value in settings.items()]
    files = [("project file", str(project))] if project else []
    files += [("your file", f"{user}{_absence(user)}")] if user else []

    def table(width: int) -> str:
        spoken = [(name, shown, "option" if source == FLAG else source) for name, shown, source in rows]
        widths = [max(len(row[column]) for row in spoken) for column in (0, 1)]
        lines = [f"{name:<{widths[0]}}  {shown:<{widths[1]}}  {source}" for name, shown, source in spoken]
        if max(map(len, lines)) > width:
            lines = aligned([(name, f"{shown} ({source})") for name, shown, source in spoken], width=width)
        return "\n".join([*lines, "", *aligned(files, width=width)] if files else lines)

    return Renderings(
        table=table,
        plain=lambda: "\n".join("\t".join(row) for row in rows),
        json=lambda: {
            "settings": {
                name: {"value": _plain(value.value), "source": value.source} for name, value in settings.items()
            },
            "project_file": str(project) if project else None,
            "user_file": str(user) if user else None,
            "errors": [error_as_json(problem) for problem in problems],
        },
    )


def _shown(name: str, value: Value) -> str:
    if value.source == "default" and name in _SPOKEN:
        return _SPOKEN[name]
    match value.value:
        case None:
            return "none"
        case bool():
            return "yes" if value.value else "no"
        case float():
            return f"{value.value:g}"
        case _:
            return printable(str(value.value))


def _absence(file: Path) -> str:
    try:
        return "" if file.is_file() else " (does not exist)"
    except PermissionError:
        return " (permission denied)"


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
