"""Digests as people type them: often cut short, and without the `sha256:` that `ls` leaves out."""

from __future__ import annotations

import re
from dataclasses import replace

from localreg.errors import InvalidReferenceError
from localreg.oci.reference import Reference, parse_reference
from localreg.system.command_line import CommandLine

_FEWEST = 6
"""Hex digits of the shortest digest that is accepted."""
_WHOLE = len("sha256:") + 64
_SHOWN = len("sha256:") + 12
"""Characters of a digest in a message."""
_CUT = re.compile(r"(?P<name>[^@]+)@(?:sha256:)?(?P<digits>[0-9a-f]{1,64})", re.ASCII)


def read_reference(text: str) -> Reference:
    """Split a reference, whose digest may be cut: `app@sha256:0123ab`, or `app@0123ab` as `ls` shows it.

    Returns:
        Its parts. The digest is `sha256:` and as many digits as were typed.

    Raises:
        InvalidReferenceError: it is not valid, or too little is left of the digest.
    """
    cut = _CUT.fullmatch(text)
    if cut is None:
        return parse_reference(text)
    named = parse_reference(cut["name"])
    if len(cut["digits"]) < _FEWEST:
        raise InvalidReferenceError(
            f"the digest in `{text}` is too short: use at least {_FEWEST} hex digits",
            hint=CommandLine("ls", named.repository, "--digests"),
        )
    return replace(named, digest=f"sha256:{cut['digits']}")


def is_cut(digest: str) -> bool:
    """It is only the start of a digest."""
    return len(digest) < _WHOLE


def shown(reference: Reference) -> str:
    """A reference as people type it: without the registry, and with 12 digits of the digest."""
    return str(replace(reference, registry=None, digest=reference.digest and reference.digest[:_SHOWN]))
