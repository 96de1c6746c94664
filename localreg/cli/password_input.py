"""A password that a person types or pipes; it is never an argument of a program."""

from __future__ import annotations

import getpass
import sys

import typer

from localreg.errors import UsageError
from localreg.registry.htpasswd import check_password
from localreg.system.command_line import Sentence

_MOST_BYTES = 1 << 16


def read_new_password(user: str) -> str:
    """Read a new password: from stdin, or twice from the terminal, which does not show it.

    Raises:
        UsageError: it is empty, not text, or bcrypt does not take it; or the two do not match.
        typer.Abort: the user pressed Ctrl-C or Ctrl-D.
    """
    if not sys.stdin.isatty():
        return check_password(_read_stdin())
    password = check_password(_ask(f"New password for `{user}`"))
    if _ask("Repeat the password") != password:
        raise UsageError("the passwords do not match")
    return password


def read_password(user: str) -> str:
    """Read a password that the registry knows, as `read_new_password`, but once.

    Raises:
        UsageError: it is empty, or not text.
        typer.Abort: the user pressed Ctrl-C or Ctrl-D.
    """
    return _read_stdin() if not sys.stdin.isatty() else _ask(f"Password of `{user}`")


def can_ask() -> bool:
    """Whether there is a terminal to ask on."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _read_stdin() -> str:
    """The first line break at the end is not part of the password, as with `docker login`."""
    data = sys.stdin.buffer.read(_MOST_BYTES)
    try:
        password = data.decode()
    except UnicodeDecodeError:
        raise UsageError("the password on stdin is not UTF-8") from None
    password = password.removesuffix("\n").removesuffix("\r")
    if not password:
        raise UsageError("stdin has no password", hint=Sentence("pipe it in, such as from a file with `<FILE`"))
    return password


def _ask(prompt: str) -> str:
    try:
        # Unlike Typer's, it stops the echo before it asks: what is pasted at once does not show either.
        return getpass.getpass(f"{prompt}: ", stream=sys.stderr)
    except EOFError:
        raise typer.Abort from None
