"""The builder of an engine: its own program, addressed to exactly the engine that was chosen.

The SDKs know neither BuildKit's session nor Podman's, so ssh agents and secrets need the program.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localreg.engines.discovery.select import usual_podman_sockets
from localreg.engines.values import EngineInfo
from localreg.errors import BuilderMissingError, EngineError
from localreg.system.orphans import adopted_orphans, ending_with_us
from localreg.system.packages import install_command

_FIRST_WITHOUT_BUILDKIT = 23
"""The first release of the `docker` program that has BuildKit no longer inside, but in the plugin buildx."""
_BUILDX = "docker buildx"
_DOCKER_PACKAGES = ("docker-ce-cli", "docker-cli", "docker.io")
_DOCKER_HINT = "install Docker's command line: https://docs.docker.com/engine/install/"
_BUILDX_PACKAGES = ("docker-buildx-plugin", "docker-buildx")
_NAMING = frozenset({"DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "CONTAINER_CONNECTION"})
"""Variables that name an engine, perhaps another; with one of the last two `podman` is the client of a service."""
_FOR_ADDRESSES = frozenset({"DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"})
_ASK_SECONDS = 30
_END_SECONDS = 10
"""How long a builder may take to end when it is told to."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What is to be built, in the words that all builders understand."""

    context: str
    """A folder, `-` for stdin, or a URL."""
    file: str | None = None
    """The Dockerfile; `-` for stdin, None for the usual one in the folder."""
    build_args: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    target: str | None = None
    platform: str | None = None
    no_cache: bool = False
    names: tuple[str, ...] = ()
    """What it is to be called in the registry, as far as that was typed."""

    def arguments(self, tags: Sequence[str]) -> list[str]:
        """What stands on the builder's command line behind its name."""
        given = [f"--{option}={value}" for option, value in self._options(tags)]
        return [*given, *self._flags(), "--", self.context]

    def as_command(self) -> str:
        """How localreg is told."""
        # What begins with `-` would be an option.
        context = self.context if self.context == "-" or not self.context.startswith("-") else f"./{self.context}"
        words = ["localreg", "build", *([] if context == "." else [context])]
        for option, value in self._options(self.names):
            words += ["-t" if option == "tag" else f"--{option}", value]
        return shlex.join([*words, *self._flags()])

    def _options(self, tags: Sequence[str]) -> list[tuple[str, str]]:
        """What was asked for, by the names that all builders and localreg itself have for it."""
        options = (
            ("tag", tags),
            ("file", (self.file,)),
            ("build-arg", self.build_args),
            ("target", (self.target,)),
            ("ssh", self.ssh),
            ("secret", self.secrets),
            ("platform", (self.platform,)),
        )
        return [(option, value) for option, values in options for value in values if value is not None]

    def _flags(self) -> list[str]:
        return ["--no-cache"] if self.no_cache else []


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a build."""

    code: int
    """The exit code of the builder."""
    image_id: str | None
    """As the builder says it; None where it failed, or says that it is done and has made no image."""


@dataclass(frozen=True, slots=True)
class Builder:
    """A program that builds into one engine."""

    name: str
    """As people call it: `docker buildx`."""
    command: tuple[str, ...]
    """Its command line up to the options of the build."""
    environment: Mapping[str, str]
    recipes: tuple[str, ...]
    """The names that it looks for in the folder where no Dockerfile is named."""
    takes_ssh: bool = True
    """It can hand an ssh agent or a key to the build."""

    def run(self, request: BuildRequest, tags: Sequence[str], *, output: int) -> Outcome:
        """Build, and wait for the end; if that is forced, or an error, nothing of the builder is left.

        Args:
            request: What.
            tags: Complete references.
            output: The file descriptor that the builder writes to; a terminal stays one.

        Raises:
            EngineError: it cannot be started.
        """
        with tempfile.TemporaryDirectory() as folder, adopted_orphans() as end_orphans:
            # Podman that is told to end by somebody else ends with 0.
            image_id = Path(folder, "id")
            try:
                process = subprocess.Popen(  # noqa: S603 -- the program that PATH names, without a shell
                    [*self.command, f"--iidfile={image_id}", *request.arguments(tags)],
                    # In our process group: a terminal is the builder's, too, with its progress and Ctrl-C.
                    stdout=output,
                    stderr=output,
                    env=dict(self.environment),
                    preexec_fn=ending_with_us(),  # noqa: PLW1509 -- it waits for no other thread
                )
            except OSError as exc:
                raise EngineError(f"cannot run `{self.command[0]}`: {(exc.strerror or str(exc)).lower()}") from exc
            made: str | None = None
            try:
                code = process.wait()
                made = image_id.read_text().strip() if code == 0 and image_id.exists() else None
            finally:
                try:
                    _end(process)
                finally:
                    if made is None:
                        end_orphans()
            return Outcome(code, made)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave no builder behind when localreg is told to end."""
    if process.poll() is not None:
        return
    try:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
    finally:
        # Also where somebody is impatient, and presses Ctrl-C again.
        process.kill()
        process.wait()


def find_builder(info: EngineInfo, *, environ: Mapping[str, str] | None = None) -> Builder:
    """The builder of an engine.

    Args:
        info: The engine's.
        environ: The environment; the process's own by default.

    Raises:
        BuilderMissingError: there is none; with what to install.
    """
    environ = os.environ if environ is None else environ
    return {"docker": _docker_builder, "podman": _podman_builder}[info.name](info, environ)


def _docker_builder(info: EngineInfo, environ: Mapping[str, str]) -> Builder:
    program = shutil.which("docker", path=environ.get("PATH"))
    if program is None:
        raise BuilderMissingError(
            "there is no `docker` program to build with",
            hint=install_command(*_DOCKER_PACKAGES) or _DOCKER_HINT,
        )
    # What they say of TLS is for an address.
    is_address = info.context is None and not info.endpoint.startswith("unix://")
    environment = _without(environ, _NAMING if is_address else _NAMING | _FOR_ADDRESSES)
    place = ("--context", info.context) if info.context else ("--host", info.endpoint)
    name = _name_of_builder(program, environment)
    if name is None:
        raise _no_builder(program, environment)
    if name == _BUILDX:
        # A builder in a container of its own keeps what it built unless it is told to load it.
        command: tuple[str, ...] = ("buildx", "build", "--load")
    else:
        command = ("build",)
        environment["DOCKER_BUILDKIT"] = "1"
    return Builder(name, (program, *place, *command), environment, recipes=("Dockerfile", "dockerfile"))


def _name_of_builder(program: str, environ: Mapping[str, str]) -> str | None:
    """What a `docker` program builds with; None where it has nothing to build with Docker."""
    version = _version(program, environ)
    if version is None:
        # Podman says that it has buildx, too.
        return None
    if _ask(environ, program, "buildx", "version") is not None:
        return _BUILDX
    major = re.match(r"\d+", version)
    return "docker build" if major and int(major[0]) < _FIRST_WITHOUT_BUILDKIT else None


def _version(program: str, environ: Mapping[str, str]) -> str | None:
    """The release of Docker's program; None for Podman's, which gives itself the name that it was started under."""
    found = re.match(r"Docker version (\S+)", _ask(environ, program, "--version") or "")
    return found[1] if found else None


def _no_builder(program: str, environ: Mapping[str, str]) -> BuilderMissingError:
    folders = (
        folder
        for folder in environ.get("PATH", "").split(os.pathsep)
        if (other := shutil.which("docker", path=folder)) and _name_of_builder(other, environ)
    )
    capable = next(folders, None)
    instead = f"export PATH={shlex.quote(capable)}:$PATH" if capable else None
    if _version(program, environ) is None:
        return BuilderMissingError(
            f"`{program}` is not Docker's own but perhaps Podman's, and cannot build for a registry on Docker",
            hint=instead or install_command(*_DOCKER_PACKAGES) or _DOCKER_HINT,
        )
    return BuilderMissingError(
        f"`{program}` cannot build without its plugin buildx, which is not installed",
        hint=install_command(*_BUILDX_PACKAGES)
        or instead
        or "install one of them, or see https://docs.docker.com/go/buildx/",
        details=["docker-buildx in Debian and Ubuntu", "docker-buildx-plugin in Docker's own"],
    )


def _podman_builder(info: EngineInfo, environ: Mapping[str, str]) -> Builder:
    program = shutil.which("podman", path=environ.get("PATH"))
    if program is None:
        raise BuilderMissingError(
            "there is no `podman` program to build with", hint=install_command("podman") or "install Podman"
        )
    place = () if _is_own(info, environ) else ("--remote", "--url", info.endpoint)
    return Builder(
        "podman build",
        (program, *place, "build"),
        _without(environ, _NAMING),
        recipes=("Containerfile", "Dockerfile"),
        # A service opens the agent's socket, or the key, itself.
        takes_ssh=sys.platform == "linux" and not info.remote,
    )


def _is_own(info: EngineInfo, environ: Mapping[str, str]) -> bool:
    """The service has the same store as the program when this user runs it."""
    if sys.platform != "linux" or info.remote:
        return False
    usual = {os.path.realpath(path) for path in usual_podman_sockets(environ)}
    return info.private or os.path.realpath(info.endpoint.removeprefix("unix://")) in usual


def _without(environ: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in names}


def _ask(environ: Mapping[str, str], *command: str) -> str | None:
    """What a program prints; None where it fails."""
    try:
        asked = subprocess.run(  # noqa: S603 -- programs that PATH names, with fixed arguments
            command,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_ASK_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout if asked.returncode == 0 else None
