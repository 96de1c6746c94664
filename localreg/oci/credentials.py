"""Credentials from localreg's own store and from those of the engines: what `docker login` and `podman login` wrote.

The engines' files are those of containers-auth.json(5), in its order, and Docker's `config.json`. The Docker SDK reads
the latter alone, without identity tokens and namespaces, and waits for ever for a helper: so they are read here.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from localreg.errors import reason_of
from localreg.oci.access import Access, Credentials
from localreg.system.data_folder import data_folder
from localreg.system.programs import ProgramError, run

HUB = "docker.io"
_HUBS_KEY = "https://index.docker.io/v1/"
"""The name that Docker stores the login for Docker Hub under."""
_HUB_HOSTS = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})
_HELPER_SECONDS = 60.0
"""A helper may ask its user to unlock a keychain."""
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_TOKEN_USER = "<token>"  # noqa: S105 -- the user name that tells that the secret is an identity token
_NOT_FOUND = ("credentials not found", "no credentials")


class CredentialStores:
    """The stores of one user; safe to use from several threads.

    Args:
        environ: The environment that tells where they are.
        own: Also read localreg's own store, first.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, *, own: bool = True) -> None:
        self._environ = os.environ if environ is None else environ
        self._own = own
        self._files: dict[Path, Mapping[str, Any]] = {}
        self._lock = Lock()
        self._answers: dict[tuple[str, str], Credentials | None] = {}
        self.problems: list[str] = []
        """Why stores could not be read, in words that hold no secret."""

    def find(self, host: str, repository: str = "") -> Credentials | None:
        """The credentials for a repository; the longest key that fits wins, in the first file with one that fits.

        Args:
            host: The registry, as references name it.
            repository: The repository; empty for the registry itself.

        Returns:
            None if no store has any.
        """
        with self._lock:
            for path in store_files(self._environ, own=self._own):
                found = self._find_in(self._read(path), host, repository)
                if found is not None:
                    return found
        return None

    def find_missing_helpers(self) -> list[tuple[str, Path]]:
        """The programs of credential helpers that are not installed, each with the file that names it."""
        with self._lock:
            named = [
                (f"docker-credential-{helper}", path)
                for path in store_files(self._environ, own=False)
                for stored in [self._read(path)]
                for helper in {stored.get("credsStore"), *_table(stored.get("credHelpers")).values()}
                if isinstance(helper, str) and _HELPER.fullmatch(helper)
            ]
        here = self._environ.get("PATH")
        return [(program, path) for program, path in sorted(named) if shutil.which(program, path=here) is None]

    def _find_in(self, stored: Mapping[str, Any], host: str, repository: str) -> Credentials | None:
        helpers, logins = _table(stored.get("credHelpers")), _table(stored.get("auths"))
        by_name = {_plain(key): login for key, login in reversed(list(logins.items()))}
        for key in _keys(host, repository):
            if key in helpers:
                return self._ask(str(helpers[key]), key)
            found = read_login(_table(logins.get(key) or by_name.get(key)))
            if found is not None:
                return found
        if stored.get("credsStore"):
            servers = (_HUBS_KEY, HUB) if host in _HUB_HOSTS else (host,)
            answers = (self._ask(str(stored["credsStore"]), server) for server in servers)
            return next((answer for answer in answers if answer is not None), None)
        return None

    def _read(self, path: Path) -> Mapping[str, Any]:
        if path not in self._files:
            try:
                self._files[path] = _table(json.loads(path.read_bytes()))
            except FileNotFoundError:
                self._files[path] = {}
            except OSError as exc:
                self._files[path] = {}
                self.problems.append(f"cannot read {path}: {reason_of(exc)}")
            except (ValueError, RecursionError):
                self._files[path] = {}
                self.problems.append(f"{path} is not valid JSON")
        return self._files[path]

    def _ask(self, helper: str, server: str) -> Credentials | None:
        """Ask a credential helper, once for each server."""
        if (helper, server) not in self._answers:
            self._answers[helper, server] = self._run(helper, server)
        return self._answers[helper, server]

    def _run(self, helper: str, server: str) -> Credentials | None:
        program = f"docker-credential-{helper}"
        if not _HELPER.fullmatch(helper):
            self.problems.append(f"`{helper}` is not a valid name of a credential helper")
            return None
        path = shutil.which(program, path=self._environ.get("PATH"))
        if path is None:
            self.problems.append(f"the credential helper {program} is not installed")
            return None
        try:
            ended = run(path, "get", seconds=_HELPER_SECONDS, environ=self._environ, data=server.encode())
        except ProgramError as exc:
            self.problems.append(f"the credential helper {program} failed: {exc}")
            return None
        if ended.code != 0:
            # It may have printed anything: only its known words for an unknown server are not a problem.
            if not any(known in f"{ended.out}{ended.err}".lower() for known in _NOT_FOUND):
                self.problems.append(f"the credential helper {program} failed with exit code {ended.code}")
            return None
        try:
            answer = _table(json.loads(ended.out))
        except (ValueError, RecursionError):
            self.problems.append(f"the credential helper {program} did not print JSON")
            return None
        return _credentials(str(answer.get("Username") or ""), str(answer.get("Secret") or ""))


def own_file(environ: Mapping[str, str] | None = None) -> Path | None:
    """The file of localreg's own store, which may not exist; None for a user without a home.

    Args:
        environ: The environment; the process's own by default.
    """
    folder = data_folder(environ)
    return None if folder is None else folder / "auth.json"


def access_by_stores(host: str, *, command: str) -> Access:
    """The way into a registry with the logins of this user's stores, which are read when the registry wants one.

    Args:
        host: The registry, as references name it.
        command: The command that stores a login for it.
    """
    stores = CredentialStores()
    return Access(
        host,
        find_credentials=lru_cache(maxsize=None)(lambda repository: stores.find(host, repository)),
        login_command=command,
        problems=lambda: list(stores.problems),
    )


def login_command(host: str, *, engine: str | None = None) -> str:
    """The command that stores credentials for a registry.

    Args:
        host: The registry, as references name it.
        engine: `docker` or `podman`; by default one that is installed.
    """
    installed = next((name for name in ("docker", "podman") if shutil.which(name) is not None), "docker")
    program = engine or installed
    return f"{program} login" if host in _HUB_HOSTS and program == "docker" else f"{program} login {host}"


def store_files(environ: Mapping[str, str], *, own: bool) -> Iterator[Path]:
    """The files that may hold credentials, the first one first; a user may have no home.

    Args:
        environ: The environment that tells where they are.
        own: Also localreg's own store, first.
    """
    home, config, docker = (environ.get(name) for name in ("HOME", "XDG_CONFIG_HOME", "DOCKER_CONFIG"))
    if own and (file := own_file(environ)):
        yield file
    if named := environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    runtime = environ.get("XDG_RUNTIME_DIR")
    yield (Path(runtime, "containers") if runtime else Path(f"/run/containers/{os.getuid()}")) / "auth.json"
    if config or home:
        yield Path(config or Path(home or "", ".config"), "containers", "auth.json")
    if docker or home:
        yield Path(docker or Path(home or "", ".docker"), "config.json")


def _keys(host: str, repository: str) -> Iterator[str]:
    """The keys that fit a repository, the longest one first."""
    hosts = (HUB, _HUBS_KEY, "index.docker.io", "registry-1.docker.io") if host in _HUB_HOSTS else (host,)
    parts = repository.split("/") if repository else []
    for count in range(len(parts), 0, -1):
        yield f"{hosts[0]}/{'/'.join(parts[:count])}"
    yield from hosts


def _plain(key: str) -> str:
    """A key of Docker's without the scheme and the path of a URL; others as they are."""
    scheme, is_url, rest = key.partition("://")
    return rest.partition("/")[0] if is_url and scheme in ("http", "https") else key


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def read_login(login: Mapping[str, Any]) -> Credentials | None:
    """The login in an entry of `auths`; None for an empty one, which Docker leaves where a helper has the login."""
    try:
        user, _, password = base64.b64decode(str(login.get("auth") or "")).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    if token := login.get("identitytoken"):
        return Credentials(user, str(token), is_token=True)
    return _credentials(user or str(login.get("username") or ""), password or str(login.get("password") or ""))


def _credentials(user: str, secret: str) -> Credentials | None:
    # Docker fills the rest of an old entry with zero bytes.
    secret = secret.rstrip("\0")
    return Credentials(user, secret, is_token=user == _TOKEN_USER) if user and secret else None
