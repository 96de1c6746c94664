"""Changes a list of strings in a JSON object as text: all that is not changed keeps each of its bytes.

What is added at the end of a list or an object is removed by the reverse change, also after others changed the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

_BLANK = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class _Item:
    """A value of a list, or a member of an object, and where it is in the text."""

    value: Any
    start: int
    end: int
    key: str = ""
    value_start: int = 0


class ListInObject:
    """A JSON object in which one key has a list of strings.

    Args:
        text: The object as text; empty for one that does not exist.
        key: The key.

    Raises:
        ValueError: it is not a JSON object, or the value is neither a list of strings nor null.
    """

    def __init__(self, text: str, key: str) -> None:
        self.text = text
        self._key = key
        self._members = [] if self.is_blank else list(_items(text, self._start, "{", "}"))
        # As with Docker, the last of several equal keys counts.
        found = [at for at, member in enumerate(self._members) if member.key == key]
        self._at = found[-1] if found else None
        self._check()

    @property
    def is_blank(self) -> bool:
        """There is no object, only space."""
        return not self.text.removeprefix("\ufeff").strip(" \t\r\n")

    @property
    def has_key(self) -> bool:
        """The object has the key."""
        return self._at is not None

    @property
    def is_null(self) -> bool:
        """The key has the value null."""
        return self._at is not None and self._members[self._at].value is None

    @property
    def is_empty_object(self) -> bool:
        """It has no key."""
        return not self.is_blank and not self._members

    @property
    def values(self) -> list[str]:
        """The strings of the list."""
        return [] if self._at is None else list(self._members[self._at].value or ())

    def with_added(self, values: Sequence[str]) -> str:
        """The text with more strings at the end of the list."""
        if not values:
            return self.text
        shown = [json.dumps(value) for value in values]
        if self.is_blank:
            return f'{{\n  "{self._key}": [{", ".join(shown)}]\n}}\n'
        if self._at is None:
            return self._with_member(f'"{self._key}": [{", ".join(shown)}]')
        member = self._members[self._at]
        if member.value is None:
            return self._spliced(member.value_start, member.end, f"[{', '.join(shown)}]")
        items = list(_items(self.text, member.value_start, "[", "]"))
        if not items:
            return self._spliced(member.value_start + 1, member.value_start + 1, ", ".join(shown))
        between = self._between(items, member.value_start) or " "
        return self._spliced(items[-1].end, items[-1].end, "".join(f",{between}{each}" for each in shown))

    def without(self, values: Sequence[str]) -> str:
        """The text without the last of each of these strings in the list."""
        current = self
        for value in values:
            if value in current.values:
                current = ListInObject(current._without_value(value), self._key)
        return current.text

    def without_key(self) -> str:
        """The text without the key."""
        if self._at is None:
            return self.text
        return self._without_item(self._members, self._at, self._start)

    def with_null(self) -> str:
        """The text with null as the value."""
        if self._at is None:
            return self.text
        member = self._members[self._at]
        return self._spliced(member.value_start, member.end, "null")

    @property
    def _start(self) -> int:
        """Where the object begins."""
        return _skip(self.text, 1 if self.text.startswith("\ufeff") else 0)

    def _check(self) -> None:
        if not self.is_blank:
            _, end = _decoder().raw_decode(self.text, self._start)
            if _skip(self.text, end) != len(self.text):
                raise ValueError("there is more after the object")
        value = None if self._at is None else self._members[self._at].value
        if value is not None and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            raise ValueError(f"`{self._key}` is not a list of strings")

    def _with_member(self, member: str) -> str:
        start = self._start
        if self._members:
            between = self._between(self._members, start)
            end = self._members[-1].end
            return self._spliced(end, end, f",{between}{member}")
        space = self.text[start + 1 : _skip(self.text, start + 1)]
        line = re.search(r"\r?\n", space)
        return self._spliced(start + 1, start + 1, f"{line[0]}  {member}" if line else member)

    def _between(self, items: Sequence[_Item], start: int) -> str:
        """The space before an item, as the last one has it."""
        before = items[-2].end if len(items) > 1 else start + 1
        return self.text[before : items[-1].start].replace(",", "", 1)

    def _without_value(self, value: str) -> str:
        member = self._members[self._at or 0]
        items = list(_items(self.text, member.value_start, "[", "]"))
        at = max(at for at, item in enumerate(items) if item.value == value)
        return self._without_item(items, at, member.value_start)

    def _without_item(self, items: Sequence[_Item], at: int, start: int) -> str:
        """The text without an item and its comma.

        Args:
            items: Those of the list or the object.
            at: Which.
            start: Where the list or the object begins.
        """
        if at:
            return self._spliced(items[at - 1].end, items[at].end, "")
        if len(items) > 1:
            return self._spliced(items[0].start, items[1].start, "")
        return self._spliced(start + 1, items[0].end, "")

    def _spliced(self, start: int, end: int, new: str) -> str:
        return self.text[:start] + new + self.text[end:]


def _decoder() -> json.JSONDecoder:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"`{constant}` is not JSON")

    return json.JSONDecoder(parse_constant=refuse, parse_int=float)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return at if found is None else found.end()


def _items(text: str, start: int, opening: str, closing: str) -> Iterator[_Item]:
    """The items of a list or an object.

    Args:
        text: The JSON.
        start: Where the list or the object begins.
        opening: Its first character.
        closing: Its last character.
    """
    if text[start : start + 1] != opening:
        raise ValueError("it is not a JSON object")
    decode: Callable[[str, int], tuple[Any, int]] = _decoder().raw_decode
    at = _skip(text, start + 1)
    while text[at : at + 1] != closing:
        begin, key = at, ""
        if opening == "{":
            key, at = decode(text, at)
            at = _skip(text, at)
            if not isinstance(key, str) or text[at : at + 1] != ":":
                raise ValueError("a key and a colon are expected")
            at = _skip(text, at + 1)
        value, end = decode(text, at)
        yield _Item(value, begin, end, key, at)
        at = _skip(text, end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
            if text[at : at + 1] == closing:
                raise ValueError("a value is expected after a comma")
        elif text[at : at + 1] != closing:
            raise ValueError("a comma is expected")
