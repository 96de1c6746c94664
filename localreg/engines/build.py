"""A build request, and the engine's own program that runs it.

The SDKs support neither BuildKit's sessions nor Podman's, so ssh agents and secrets need the program.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localreg.errors import EngineError, reason_of
from localreg.oci.access import Credentials
from localreg.system.command_line import CommandLine
from localreg.system.orphans import adopted_orphans, ending_with_us
from localreg.system.runtime_folder import runtime_folder

_END_SECONDS = 10
"""How long a builder gets to end after SIGTERM."""
ASK_SECONDS = 30.0
"""Timeout of a question to a builder's program, such as its version."""
NAMING = frozenset({"DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "CONTAINER_CONNECTION"})
"""Variables that select an engine, perhaps a different one. The last two make `podman` the client of a service."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """A build, in the options that all builders have."""

    context: str
    """A folder, `-` for stdin, or a URL."""
    file: str | None = None
    """The Dockerfile; `-` for stdin, None for the default one in the folder."""
    build_args: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    target: str | None = None
    platform: str | None = None
    no_cache: bool = False
    names: tuple[str, ...] = ()
    """Names for the image in the registry, as typed."""

    def arguments(self, tags: Sequence[str]) -> list[str]:
        """The arguments after the builder's command."""
        given = [f"--{option}={value}" for option, value in self._options(tags)]
        return [*given, *self._flags(), "--", self.context]

    def as_command(self) -> CommandLine:
        """The command that asks for it."""
        # Otherwise a context that begins with `-` would be read as an option.
        context = self.context if self.context == "-" or not self.context.startswith("-") else f"./{self.context}"
        words = ["build", *([] if context == "." else [context])]
        for option, value in self._options(self.names):
            words += ["-t" if option == "tag" else f"--{option}", value]
        return CommandLine(*words, *self._flags())

    def _options(self, tags: Sequence[str]) -> list[tuple[str, str]]:
        """The options, by the names that all builders and localreg share."""
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
class RegistryLogin:
    """A login to one registry."""

    location: str
    """The registry's part of a reference."""
    credentials: Credentials


LendLogin = Callable[[Path, RegistryLogin], Mapping[str, str]]
"""Lets a builder use a login: writes it to an empty folder, and returns the variables that lead there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a build."""

    code: int
    """The exit code of the builder."""
    image_id: str | None = None
    """As the builder reports it; None if it does not, or made no image."""


@dataclass(frozen=True, slots=True)
class Builder:
    """A program that builds into one engine."""

    name: str
    """Its usual name, such as `docker buildx`."""
    command: tuple[str, ...]
    """Its command line, up to the options of the build."""
    environment: Mapping[str, str]
    recipes: tuple[str, ...]
    """The file names that it looks for if no Dockerfile is given."""
    lend_login: LendLogin | None = None
    """None if its program could not read what it is lent."""
    takes_ssh: bool = True
    """It can pass an ssh agent or a key to the build."""
    reports_id: bool = False
    """It must write the image's ID to a file, because it can fail with the exit code 0: `podman` does if it is told to
    end. `docker` does not, and may see another folder for temporary files, such as the one from a snap."""

    def run(
        self, request: BuildRequest, tags: Sequence[str], *, output: int, login: RegistryLogin | None = None
    ) -> Outcome:
        """Build, and wait for the end. A build that fails or is interrupted leaves no process behind.

        Args:
            request: The build.
            tags: Complete references.
            output: The file descriptor for the builder's output; a terminal is passed on as one.
            login: One that its program does not have, for images that it builds from; ignored if it takes none.

        Raises:
            EngineError: the builder cannot be started, or a file for it cannot be written.
        """
        with contextlib.ExitStack() as context:
            folder = context.enter_context(tempfile.TemporaryDirectory()) if self.reports_id else None
            image_id = None if folder is None else Path(folder, "id")
            end_orphans = context.enter_context(adopted_orphans())
            variables = {} if login is None else self._lend(login, context)
            report = [] if image_id is None else [f"--iidfile={image_id}"]
            try:
                process = subprocess.Popen(  # noqa: S603 -- the program that PATH names, without a shell
                    [*self.command, *report, *request.arguments(tags)],
                    # In the same process group, so that the builder also gets the terminal's Ctrl-C.
                    stdout=output,
                    stderr=output,
                    env={**self.environment, **variables},
                    preexec_fn=ending_with_us(),  # noqa: PLW1509 -- it does not wait for another thread
                )
            except OSError as exc:
                raise EngineError(f"cannot run `{self.command[0]}`: {reason_of(exc)}") from exc
            succeeded = False
            made: str | None = None
            try:
                code = process.wait()
                if code == 0 and image_id is not None and image_id.exists():
                    made = image_id.read_text().strip()
                succeeded = code == 0 and (made is not None or not self.reports_id)
            finally:
                try:
                    _end(process)
                finally:
                    if not succeeded:
                        end_orphans()
            return Outcome(code, made)

    def _lend(self, login: RegistryLogin, context: contextlib.ExitStack) -> Mapping[str, str]:
        if self.lend_login is None:
            return {}
        try:
            return self.lend_login(context.enter_context(_private_folder()), login)
        except OSError as exc:
            raise EngineError(
                f"cannot give {self.name} the login to {login.location}: {reason_of(exc)}", hint=CommandLine("login")
            ) from exc


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """A folder that goes after the build; those of builds that were killed go before."""
    parent = runtime_folder("")
    for left in parent.glob("build-*-*"):
        if not _runs(int(left.name.split("-")[1])):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"build-{os.getpid()}-", dir=parent) as folder:
        yield Path(folder)


def _runs(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the builder if it is still running."""
    if process.poll() is not None:
        return
    try:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
    finally:
        # Runs even if a second Ctrl-C interrupts the wait.
        process.kill()
        process.wait()


def without(environ: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    """An environment without the given variables."""
    return {name: value for name, value in environ.items() if name not in names}
