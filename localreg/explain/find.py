"""Finds what is known of a message, and completes errors with it."""

from __future__ import annotations

from localreg.errors import ConfigError, LocalregError, UsageError
from localreg.explain.answers import ANSWERS
from localreg.explain.configuration import CONFIGURATION
from localreg.explain.engines import ENGINES
from localreg.explain.explanation import Explanation
from localreg.explain.login import LOGIN
from localreg.explain.names import NAMES
from localreg.explain.reach import REACH
from localreg.explain.tls import TLS

EXPLANATIONS: tuple[Explanation, ...] = (*CONFIGURATION, *NAMES, *ENGINES, *TLS, *LOGIN, *ANSWERS, *REACH)
"""Everything that is known, from the special to the general."""


def explain(message: str) -> list[Explanation]:
    """Everything that is known of a message.

    Args:
        message: Of any program, also with other lines around it; or the name of an explanation.

    Returns:
        The most special first; empty if nothing is known.
    """
    named = [known for known in EXPLANATIONS if known.name == message.strip()]
    return named or [known for known in EXPLANATIONS if _is_said(known, message)]


def with_hint(error: LocalregError) -> LocalregError:
    """An error without a hint, with that of what is known of its details or its message.

    Errors of the command line and of localreg's own files have only localreg's words.
    """
    if error.hint is not None or isinstance(error, UsageError | ConfigError):
        return error
    said = "\n".join([*error.details, error.message])
    known = next(iter(explain(said)), None)
    return error if known is None else error.with_(hint=known.hint)


def _is_said(known: Explanation, message: str) -> bool:
    return any(map(known.saying.search, message.splitlines()))
