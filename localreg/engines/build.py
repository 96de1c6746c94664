"""Building: what is asked for, and the engine's own program that does it.

The SDKs know neither BuildKit's session nor Podman's, so ssh agents and secrets need the program.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localreg.command_line import CommandLine
from localreg.errors import EngineError, reason_of
from localreg.system.orphans import adopted_orphans, ending_with_us

_END_SECONDS = 10
"""How long a builder may take to end when it is told to."""
ASK_SECONDS = 30.0
"""How long a builder's program may take to say what it can do."""
NAMING = frozenset({"DOCKER_HOST", "DOCKER_CONTEXT", "CONTAINER_HOST", "CONTAINER_CONNECTION"})
"""Variables that name an engine, perhaps another; with one of the last two `podman` is the client of a service."""


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

    def as_command(self) -> CommandLine:
        """The command that asks for it."""
        # What begins with `-` would be an option.
        context = self.context if self.context == "-" or not self.context.startswith("-") else f"./{self.context}"
        words = ["build", *([] if context == "." else [context])]
        for option, value in self._options(self.names):
            words += ["-t" if option == "tag" else f"--{option}", value]
        return CommandLine(*words, *self._flags())

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
                raise EngineError(f"cannot run `{self.command[0]}`: {reason_of(exc)}") from exc
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


def without(environ: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    """An environment without some of its variables."""
    return {name: value for name, value in environ.items() if name not in names}
