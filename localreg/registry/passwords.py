"""localreg's own store of passwords, with which it gets into the registries that it created.

The file has the format of containers-auth.json(5), so that `localreg.oci.credentials` reads it like the stores of the
engines, before them. Each login also tells whose it is, because a registry can get another port.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from localreg.engines.values import EngineInfo
from localreg.errors import ConfigError, reason_of
from localreg.oci.access import Credentials
from localreg.oci.credentials import own_file, read_login
from localreg.system.data_folder import locked
from localreg.system.whole_file import replace_file

_OWNER = "localreg"
"""The key of an entry's owner, which other readers of the format ignore."""

_Logins = dict[str, dict[str, Any]]


def owner_of(engine: EngineInfo, name: str) -> str:
    """The registry of this name on an engine, as the store names it."""
    # localreg's own Podman service has another address each time.
    return f"{name} on {engine.name}{'' if engine.private else f' {engine.shown_endpoint}'}"


def remember(location: str, credentials: Credentials, *, owner: str) -> None:
    """Store the login to a registry; an older one to it is replaced.

    The login of another registry that had the location before is kept, and found again by its owner.

    Args:
        location: The registry's part of a reference.
        credentials: The login.
        owner: As from `owner_of`.

    Raises:
        ConfigError: the file cannot be read or written.
    """
    secret = base64.b64encode(f"{credentials.user}:{credentials.secret}".encode()).decode()

    def added(logins: _Logins) -> _Logins:
        others = {
            login[_OWNER] if place == location else place: login
            for place, login in logins.items()
            if not _is_of(login, owner) and (place != location or _OWNER in login)
        }
        return {**others, location: {"auth": secret, _OWNER: owner}}

    _change(added)


def forget(owner: str, location: str | None = None) -> None:
    """Remove the login to a registry; does nothing if there is none.

    Args:
        owner: As from `owner_of`.
        location: The registry's part of a reference, if it is known.

    Raises:
        ConfigError: the file cannot be read or written.
    """
    file = own_file()
    if file is not None and file.exists():
        _change(
            lambda logins: {
                place: login
                for place, login in logins.items()
                if not _is_of(login, owner) and (place != location or _OWNER in login)
            }
        )


def find_login_of(owner: str, location: str) -> Credentials | None:
    """The login to a registry, or else the one for its location; None if the store has none.

    Raises:
        ConfigError: the file cannot be read.
    """
    logins = _read_logins()
    found = [*(login for login in logins.values() if _is_of(login, owner)), logins.get(location, {})]
    return next((login for login in map(read_login, found) if login is not None), None)


def list_logins() -> list[Credentials]:
    """All logins in the store, for a registry that has another location than before.

    Raises:
        ConfigError: the file cannot be read.
    """
    found = (read_login(login) for login in _read_logins().values())
    return [login for login in found if login is not None]


def _read_logins() -> _Logins:
    file = own_file()
    return {} if file is None else _logins_in(_read(file))


def _change(change: Callable[[_Logins], _Logins]) -> None:
    file = own_file()
    if file is None:
        raise ConfigError("localreg cannot store a password: neither HOME nor XDG_DATA_HOME is set")
    try:
        with locked(file):
            content = _read(file)
            changed = {**content, "auths": change(_logins_in(content))}
            if changed != content:
                replace_file(file, f"{json.dumps(changed, indent=2)}\n".encode())
    except OSError as exc:
        raise ConfigError(f"cannot write {file}: {reason_of(exc)}") from exc


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise ConfigError(f"cannot read {file}: {reason_of(exc)}") from exc
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise ConfigError(f"{file} is not a JSON object", hint=f"rm {file}")
    return content


def _logins_in(content: dict[str, Any]) -> _Logins:
    logins = content.get("auths")
    known = logins.items() if isinstance(logins, dict) else ()
    return {place: login for place, login in known if isinstance(login, dict)}


def _is_of(login: dict[str, Any], owner: str) -> bool:
    return login.get(_OWNER) == owner
