"""The context of every command: the global options, the output streams and the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from localreg.errors import LocalregError, UsageError
from localreg.output.streams import Format, Streams
from localreg.registry.defaults import DEFAULT_NAME, default_volume
from localreg.system.command_line import CommandLine

if TYPE_CHECKING:
    # Loading the engines takes as long as all the rest, and --help and --version do not need them.
    from localreg.content.finish import Finishing
    from localreg.engines.discovery.select import EngineChoice, Selection, Survey
    from localreg.engines.port import Engine
    from localreg.engines.values import Progress
    from localreg.output.waiting import Waiting
    from localreg.places.port import Watcher
    from localreg.registry.container import Registry
    from localreg.settings import Value


NAME_ARGUMENT = typer.Argument(metavar="[NAME]", help="Name of the registry, as with --name", show_default=DEFAULT_NAME)


@dataclass
class Session:
    """One run of the program, with the options known so far."""

    engine: EngineChoice = "auto"
    name: str = DEFAULT_NAME
    format: Format | None = None
    quiet: bool = False
    debug: bool = False
    given: dict[str, object] = field(default_factory=dict)
    """The global options that were typed."""
    settings: Mapping[str, Value] = field(default_factory=dict)
    """Every setting; known once the command runs."""
    problems: list[LocalregError] = field(default_factory=list)
    """The problems in the environment and the settings files, for a command that runs all the same."""
    _finishing: Finishing | None = None

    def take(self, found: Mapping[str, Any]) -> None:
        """Apply the global options known so far."""
        self.engine = found.get("engine", self.engine)
        self.name = found.get("name", self.name)
        wanted = Format.JSON if found.get("json") else found.get("format")
        self.format = self.format if wanted is None else Format(wanted)
        self.quiet = found.get("quiet", self.quiet)
        self.debug = found.get("debug", self.debug)

    def take_name(self, name: str | None) -> None:
        """Apply the name of the registry that was typed as an argument, if it was.

        Raises:
            UsageError: it is not a valid name, or not the one in `--name`.
        """
        if name is None:
            return
        from localreg.registry.options import check_name  # noqa: PLC0415 -- not for help and version

        check_name(name)
        if self.given.get("name", name) != name:
            raise UsageError(f"choose one: `{name}` or `--name {self.given['name']}`")
        self.given["name"] = self.name = name

    @property
    def streams(self) -> Streams:
        """The output streams."""
        return Streams(format=self.format, quiet=self.quiet)

    @property
    def command(self) -> str:
        """The start of a command for this registry, as hints show it, on the engine that the user named."""
        engine = self.given.get("engine", "auto")
        words = ["localreg", *(["--engine", str(engine)] if engine != "auto" else [])]
        return " ".join([*words, *(["--name", self.name] if self.name != DEFAULT_NAME else [])])

    def as_options(self) -> list[str]:
        """The global options for another localreg process."""
        options = ["--engine", self.engine, "--name", self.name]
        options += ["--format", self.format] if self.format else []
        options += ["--quiet"] if self.quiet else []
        return [*options, "--debug"] if self.debug else options

    def completed(self, error: LocalregError) -> LocalregError:
        """An error with a hint, if anything is known of it, that works as typed for this engine and this registry."""
        if error.hint is None:
            from localreg.doctor.hint import with_check  # noqa: PLC0415 -- for errors only
            from localreg.explain.find import with_hint  # noqa: PLC0415 -- for errors only

            error = with_check(with_hint(error))
        if not isinstance(error.hint, CommandLine):
            return error
        completed = error.with_(hint=self.typed(error.hint))
        # `--debug` shows the traceback of the original.
        completed.__cause__ = error
        return completed

    def typed(self, command: str) -> str:
        """A command of localreg for the engine and the registry that the user named; another one as it is."""
        if not isinstance(command, CommandLine):
            return command
        engine = None if self.engine == "auto" else self.engine
        return command.for_registry(engine=engine, name=None if self.name == DEFAULT_NAME else self.name)

    @contextlib.contextmanager
    def selection(self) -> Iterator[Selection]:
        """Choose the engine; close it at the end."""
        from localreg.engines.discovery import select  # noqa: PLC0415 -- some commands need no engine

        selection = select.select_engine(self.engine, name=self.name, volume=default_volume(self.name))
        if not selection.holds_registry:
            self.tell_silent(selection.survey)
        with selection.engine:
            try:
                yield selection
            finally:
                if self._finishing is not None:
                    self._finishing.wait()

    def running_registry(self, engine: Engine) -> Registry:
        """The registry that the command works on; a garbage collection that was killed is finished meanwhile.

        Raises:
            ContainerNotFoundError: there is no container of that name.
            RegistryUnreachableError: it is not running.
            ConflictError: the container of that name publishes no port, or does not seem to be a registry.
        """
        from localreg.registry.running import get_running_registry  # noqa: PLC0415 -- some commands need no engine

        registry = get_running_registry(engine, self.name)
        self.finish_collection(engine, registry)
        return registry

    def finish_collection(self, engine: Engine, registry: Registry) -> None:
        """Finish a garbage collection that was killed, beside the command's own work."""
        from localreg.content.finish import Finishing  # noqa: PLC0415 -- some commands need no engine

        if registry.is_ours:
            self._finishing = Finishing(engine, registry)

    def tell_silent(self, survey: Survey) -> None:
        """Name the engines that did not answer: the registry may be on one of them."""
        for silent in survey.unavailable:
            if silent.where:
                self.streams.note(f"skipped {silent.engine.capitalize()} at {silent.where}: {silent.reason}")

    def survey(self) -> Survey:
        """Ask every engine."""
        from localreg.engines.discovery import select  # noqa: PLC0415 -- some commands need no engine

        return select.survey_engines(self.engine, volume=default_volume(self.name))

    @contextlib.contextmanager
    def opened(self) -> Iterator[Engine]:
        """Choose the engine, for commands that need nothing else from the selection."""
        with self.selection() as selection:
            yield selection.engine

    @contextlib.contextmanager
    def transfer_display(self) -> Iterator[Callable[[Progress], None]]:
        """Show the steps of a push or a pull, if stderr is a terminal."""
        if not self.streams.shows_progress:
            yield lambda _step: None
            return
        from localreg.output.progress import TransferDisplay  # noqa: PLC0415 -- loads rich, on a terminal only

        with TransferDisplay() as display:
            yield display.show

    @contextlib.contextmanager
    def copy_display(self) -> Iterator[Watcher]:
        """Show how far a copy is, if stderr is a terminal."""
        if not self.streams.shows_progress:
            from localreg.places.port import Unwatched  # noqa: PLC0415 -- most commands copy nothing

            yield Unwatched()
            return
        from localreg.output.copying import CopyDisplay  # noqa: PLC0415 -- loads rich, on a terminal only

        with CopyDisplay() as display:
            yield display

    def waiting(self, doing: str) -> Waiting:
        """Say on a terminal what the command is doing, once that takes longer than half a second."""
        from localreg.output.waiting import Waiting  # noqa: PLC0415 -- most commands are done sooner

        return Waiting(doing, shown=self.streams.shows_progress)


def session_of(context: typer.Context) -> Session:
    """The session that `main` created."""
    session = context.find_root().obj
    if not isinstance(session, Session):
        raise TypeError("the program was not started by `main`")
    return session
