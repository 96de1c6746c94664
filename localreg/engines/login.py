"""The engine's own program, which stores logins to registries."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from localreg.engines.build import NAMING, without
from localreg.engines.values import EngineInfo
from localreg.errors import EngineError
from localreg.oci.access import Credentials
from localreg.system.command_line import CommandLine, Sentence
from localreg.system.packages import install_command
from localreg.system.programs import Ended, ProgramError, run

_SECONDS = 120.0
"""A credential helper may ask its user to unlock a keychain."""
_PACKAGES = {"docker": ("docker-ce-cli", "docker-cli", "docker.io"), "podman": ("podman",)}
_UNTRUSTED = ("certificate signed by unknown authority", "certificate is not trusted")
_NOT_LOGGED_IN = "not logged in"


@dataclass(frozen=True, slots=True)
class LoginProgram:
    """A program with a store of logins."""

    name: str
    """`docker` or `podman`."""
    command: tuple[str, ...]
    """Its command line, up to `login` or `logout`."""
    options: tuple[str, ...]
    """Of `login`."""
    environment: Mapping[str, str] = field(repr=False)

    def log_in(self, location: str, login: Credentials) -> str:
        """Check a login with the registry and store it; the password goes through stdin.

        Args:
            location: The registry's part of a reference.
            login: The user and the password.

        Returns:
            What the program printed.

        Raises:
            EngineError: it failed.
        """
        options = (*self.options, "--username", login.user, "--password-stdin")
        ended = self._run("login", *options, location, data=login.secret.encode())
        if ended.code == 0:
            return ended.out + ended.err
        said = (ended.err or ended.out).strip().splitlines()
        hint = CommandLine("trust") if _is_untrusted(said) else None
        raise EngineError(f"`{self.name} login` failed for {location}", hint=hint, details=said)

    def log_out(self, location: str) -> bool:
        """Remove a login; whether there was one, as far as the program tells.

        Raises:
            EngineError: it failed.
        """
        ended = self._run("logout", location)
        said = f"{ended.out}{ended.err}"
        if ended.code != 0 and _NOT_LOGGED_IN not in said:
            raise EngineError(f"`{self.name} logout` failed for {location}", details=said.strip().splitlines())
        return ended.code == 0

    def _run(self, *arguments: str, data: bytes | None = None) -> Ended:
        try:
            return run(*self.command, *arguments, seconds=_SECONDS, environ=self.environment, data=data)
        except ProgramError as exc:
            raise EngineError(f"cannot run `{self.name} {arguments[0]}`: {exc}") from exc


def find_login_program(info: EngineInfo, environ: Mapping[str, str], *, unverified: bool) -> LoginProgram:
    """The program of an engine.

    Args:
        info: The engine's.
        environ: The environment.
        unverified: The registry may speak plain HTTP, or have a certificate that the program does not trust; a program
            that must be told is told.

    Raises:
        EngineError: it is not installed; the hint tells which package to install.
    """
    program = shutil.which(info.name, path=environ.get("PATH"))
    if program is None:
        raise EngineError(
            f"the `{info.name}` program, which stores the login, is not installed",
            hint=install_command(*_PACKAGES[info.name]) or Sentence("localreg's own commands work without it"),
        )
    if info.name == "podman":
        # It logs in from here, wherever its service is.
        options = ("--tls-verify=false",) if unverified else ()
        return LoginProgram("podman", (program,), options, without(environ, NAMING))
    # Docker's daemon logs in, and it must be the one with the registry.
    place = ("--context", info.context) if info.context else ("--host", info.endpoint)
    return LoginProgram("docker", (program, *place), (), without(environ, NAMING))


def _is_untrusted(said: list[str]) -> bool:
    return any(sign in line for line in said for sign in _UNTRUSTED)
