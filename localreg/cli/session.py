"""What every command has: the options that all share, the streams, and the engine behind them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from localreg.command_line import CommandLine
from localreg.errors import LocalregError
from localreg.output.streams import Format, Streams
from localreg.registry.defaults import DEFAULT_NAME, default_volume

if TYPE_CHECKING:
    # What talks to engines takes as long to load as all else; help and version have no use for it.
    from localreg.engines.discovery.select import EngineChoice, Selection, Survey
    from localreg.engines.port import Engine
    from localreg.engines.values import Progress
    from localreg.settings import Value


@dataclass
class Session:
    """One run of the program, as far as its options are known."""

    engine: EngineChoice = "auto"
    name: str = DEFAULT_NAME
    format: Format | None = None
    quiet: bool = False
    debug: bool = False
    given: dict[str, object] = field(default_factory=dict)
    """What was typed of the options that every command shares."""
    settings: Mapping[str, Value] = field(default_factory=dict)
    """What every setting is; known when the command runs."""

    def take(self, found: Mapping[str, Any]) -> None:
        """Take in the options that every command shares, as far as they are known."""
        self.engine = found.get("engine", self.engine)
        self.name = found.get("name", self.name)
        wanted = Format.JSON if found.get("json") else found.get("format")
        self.format = self.format if wanted is None else Format(wanted)
        self.quiet = found.get("quiet", self.quiet)
        self.debug = found.get("debug", self.debug)

    @property
    def streams(self) -> Streams:
        """Where to write."""
        return Streams(format=self.format, quiet=self.quiet)

    @property
    def command(self) -> str:
        """How the user calls localreg for this registry: what the hints begin with."""
        return "localreg" if self.name == DEFAULT_NAME else f"localreg --name {self.name}"

    def as_options(self) -> list[str]:
        """What tells another localreg the same."""
        options = ["--engine", self.engine, "--name", self.name]
        options += ["--format", self.format] if self.format else []
        options += ["--quiet"] if self.quiet else []
        return [*options, "--debug"] if self.debug else options

    def completed(self, error: LocalregError) -> LocalregError:
        """An error whose hint can be typed as it is: for the engine and the registry that were named."""
        if not isinstance(error.hint, CommandLine):
            return error
        engine = None if self.engine == "auto" else self.engine
        name = None if self.name == DEFAULT_NAME else self.name
        completed = error.with_(hint=error.hint.for_registry(engine=engine, name=name))
        # `--debug` shows where it comes from.
        completed.__cause__ = error
        return completed

    @contextlib.contextmanager
    def selection(self) -> Iterator[Selection]:
        """Choose the engine, and close it afterwards."""
        from localreg.engines.discovery import select  # noqa: PLC0415 -- not for what needs no engine

        selection = select.select_engine(self.engine, name=self.name, volume=default_volume(self.name))
        if not selection.holds_registry:
            self.tell_silent(selection.survey)
        with selection.engine:
            yield selection

    def tell_silent(self, survey: Survey) -> None:
        """Name the engines that are there and did not answer: what is looked for may be on one of them."""
        for silent in survey.unavailable:
            if silent.where:
                self.streams.note(f"{silent.engine.capitalize()} was left out: {silent.where}: {silent.reason}")

    def survey(self) -> Survey:
        """Ask every engine that may be there."""
        from localreg.engines.discovery import select  # noqa: PLC0415 -- not for what needs no engine

        return select.survey_engines(self.engine, volume=default_volume(self.name))

    @contextlib.contextmanager
    def opened(self) -> Iterator[Engine]:
        """The engine, where nothing else of the survey matters."""
        with self.selection() as selection:
            yield selection.engine

    @contextlib.contextmanager
    def transfer_display(self) -> Iterator[Callable[[Progress], None]]:
        """What shows the steps of a push or a pull; shows nothing where nobody watches."""
        if not self.streams.shows_progress:
            yield lambda _step: None
            return
        from localreg.output.progress import TransferDisplay  # noqa: PLC0415 -- loads rich, on a terminal only

        with TransferDisplay() as display:
            yield display.show


def session_of(context: typer.Context) -> Session:
    """The session that `main` began."""
    session = context.find_root().obj
    if not isinstance(session, Session):
        raise TypeError("the program was not started by `main`")
    return session
