"""What a client of a registry needs beside its URL, if the registry wants a login or is not the developer's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a secret, as `docker login` stores them; the secret is in no text of it."""

    user: str
    secret: str = field(repr=False)
    is_token: bool = False
    """The secret is an identity token of OAuth 2, not a password."""


@dataclass(frozen=True, slots=True)
class Access:
    """How a client gets into a registry."""

    host: str
    """The registry as references name it, such as `ghcr.io` or `localhost:5000`."""
    find_credentials: Callable[[str], Credentials | None] = field(default=lambda _repository: None, repr=False)
    """The credentials for a repository, from the stores of the engines."""
    login_command: str | None = None
    """The command that stores credentials for the registry."""
    problems: Callable[[], list[str]] = list
    """Why stores that were asked could not be read."""
    on_wait: Callable[[str, float], None] = lambda _host, _seconds: None
    """Is told when the registry asks to wait, with its host and the seconds."""
    is_own: bool = False
    """The registry is on the developer's own engine: errors need not tell which, and no proxy is on the way."""
