"""The line that says what a command is doing: it is gone before the result comes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from localreg import cli

FILES = sorted(Path(cli.__file__).parent.rglob("*.py"))
DIRECT = {"show", "note", "hint", "warn", "show_all"}
"""What writes without knowing of the line."""


def calls(node: ast.AST) -> Iterator[str]:
    """The names of what is called, but not of what is called above the line."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        yield name
        if name == "above":
            return
    for child in ast.iter_child_nodes(node):
        yield from calls(child)


def written_meanwhile(tree: ast.Module) -> list[str]:
    return [
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and any("waiting" in calls(item.context_expr) for item in node.items)
        for statement in node.body
        for name in calls(statement)
        if name in DIRECT
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_nothing_is_written_while_the_line_is_there(file: Path) -> None:
    assert written_meanwhile(ast.parse(file.read_text())) == []


def test_a_result_that_comes_too_early_is_found() -> None:
    early = "with session.waiting('reading'):\n    session.streams.show(result)"
    assert written_meanwhile(ast.parse(early)) == ["show"]
