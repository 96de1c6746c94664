"""Lines between marks: each text comes back as it was, in whatever order they are removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localreg.clients.marked_block import Block, add_block, list_blocks, remove_blocks
from localreg.errors import ConfigError

HERE = Path("hosts.toml")
LINES = st.lists(st.sampled_from(["", "a = 1", "# b", "  [c]", "localreg"]), max_size=4)
ONE = Block("registry", "localhost:5000", '[host."http://localhost:5000"]\n\nx = 1\n')
OTHER = Block("other", "127.0.0.1:5001", "y = 2\n")


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.sampled_from(["", "  "]), st.permutations([0, 1]))
def test_each_text_comes_back(lines: list[str], newline: str, ended: bool, indent: str, order: list[int]) -> None:  # noqa: FBT001
    text = newline.join(lines) + (newline if ended else "")
    blocks = [ONE, OTHER]
    added = add_block(add_block(text, ONE, indent=indent), OTHER)
    assert list_blocks(added, HERE) == blocks
    first, second = (blocks[number].name for number in order)
    rest = remove_blocks(added, first)
    assert list_blocks(rest, HERE) == [blocks[order[1]]]
    assert remove_blocks(rest, second) == text


@given(st.sampled_from(["a: 1", "a: 1\n", "a: 1\nb: 2\n", "a: 1\r\nb: 2"]))
def test_a_block_stands_after_a_line(text: str) -> None:
    added = add_block(text, ONE, at=4, indent="  ")
    assert added.startswith("a: 1")
    assert added.splitlines()[1].startswith("  # localreg trust: registry, localhost:5000 (")
    assert remove_blocks(added, "registry") == text


@pytest.mark.parametrize("lost", [0, -1])
def test_a_block_without_one_of_its_marks_is_left_alone(lost: int) -> None:
    lines = add_block("", ONE).splitlines(keepends=True)
    lines.pop(lost)
    with pytest.raises(ConfigError) as caught:
        list_blocks("".join(lines), HERE)
    assert "hosts.toml" in caught.value.message
