"""Amounts of bytes as people type them."""

from __future__ import annotations

import re

from localreg.errors import UsageError
from localreg.system.command_line import Sentence

_AMOUNT = re.compile(r"([1-9][0-9]*)([kKmMgGtT]?)(?:i?[bB])?", re.ASCII)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_amount(text: str) -> int:
    """Bytes; a letter counts in powers of 1024, as in `split` and `docker run --memory`.

    Raises:
        UsageError: it is not a number with such a letter.
    """
    found = _AMOUNT.fullmatch(text)
    if found is None:
        raise UsageError(f"`{text}` is not a valid size", hint=Sentence("use a size such as 700M or 4G"))
    return int(found[1]) << 10 * _POWERS[found[2].lower()]
