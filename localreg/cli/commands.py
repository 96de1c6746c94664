"""What localreg's commands have that Typer's do not: options shared by all, on either side of the name."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from typing import Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from localreg.cli.help_page import width, write_examples, write_options, write_rows
from localreg.cli.session import Session, session_of
from localreg.command_line import CommandLine
from localreg.errors import UsageError
from localreg.output.streams import Format

_OWN_OPTIONS = frozenset({"help", "version", "install_completion", "show_completion"})

GROUPS = {
    "Registry": {
        "up": "Start the registry and wait until it answers",
        "down": "Stop the registry and remove its container; its images stay",
        "status": "Show what is known of the registry",
        "logs": "Show the registry's log",
    },
    "Images": {
        "build": "Build an image and push it into the registry",
        "push": "Push images into the registry",
        "pull": "Pull images from the registry into the engine",
        "tag": "Give an image of the engine its name in the registry",
        "ls": "List what is in the registry",
        "rm": "Remove tags from the registry",
    },
    "Clients": {
        "podman-fix": "Let the podman program use plain HTTP for the registry",
    },
    "Pipelines": {
        "tunnel": "Let another machine push into the registry, through ssh",
        "ci": "Print a pipeline that pushes through the tunnel",
    },
    "Settings": {
        "config": "Show what is set, and where",
        "completion": "Print the script that completes words after TAB",
    },
}
"""What a person wants, the commands for it and a line on each: the help needs no command's module."""

SUBCOMMANDS = {
    "tunnel": {
        "open": "Open a tunnel and keep it open",
        "ls": "List the tunnels that are open",
        "close": "Close tunnels",
    },
}
"""The commands that have commands of their own."""
_UNLISTED = frozenset({"tunnel keep"})
"""What localreg calls itself, in another process."""


class ReaderGoneError(Exception):
    """Whoever read our output closed the pipe: nothing more to do, and nothing wrong."""


class Command(TyperCommand):
    """A command that takes the shared options after its name too."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its own parameters, then the shared options."""
        return [*super().get_params(ctx), *_shared(ctx)]

    def invoke(self, ctx: Any) -> Any:
        """Take in the shared options that were given here, then run."""
        session = session_of(ctx)
        apply(session, **{str(param.name): ctx.params.pop(param.name, None) for param in _shared(ctx)})
        self._take_settings(ctx, session)
        try:
            return super().invoke(ctx)
        except BrokenPipeError as exc:
            # Typer would exit with 1.
            raise ReaderGoneError from exc

    def _take_settings(self, ctx: Any, session: Session) -> None:
        """Fill in what was not typed from the environment and the files."""
        from localreg.settings import DEFAULT, resolve  # noqa: PLC0415 -- not for help and version

        own = {name: name.replace("_", "-") for name in ctx.params}
        typed = {name: ctx.params[name] for name in own if ctx.get_parameter_source(name).name == "COMMANDLINE"}
        settings = resolve({**session.given, **{own[name]: value for name, value in typed.items()}})
        session.settings = settings
        session.take({name: value.value for name, value in settings.items()})
        for name, option in own.items():
            if option in settings and name not in typed and settings[option].source != DEFAULT:
                ctx.params[name] = settings[option].value

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Show the shared options apart from the command's own."""
        shared = _shared(ctx)
        own = [param for param in self.get_params(ctx) if param not in shared]
        for heading, params in (
            ("Arguments", [param for param in own if param.param_type_name == "argument"]),
            ("Options", [param for param in own if param.param_type_name == "option"]),
            ("Options of every command", shared),
        ):
            write_options(formatter, heading, params, ctx)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 -- Typer's signature
        """Show the examples."""
        write_examples(formatter, self.epilog)


class Commands(TyperGroup):
    """Commands of which each is imported when it is used."""

    @property
    def summaries(self) -> dict[str, str]:
        """Every command, in the order of the help, and a line on each."""
        return {name: summary for commands in GROUPS.values() for name, summary in commands.items()}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 -- Typer's signature
        """Every command, in the order of the help."""
        return list(self.summaries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; None when there is none of that name."""
        full = self.name_in_full(cmd_name)
        if cmd_name not in self.list_commands(ctx) and full not in _UNLISTED:
            return None
        module = importlib.import_module(f"localreg.cli.{full.replace(' ', '.').replace('-', '_')}")
        if full in SUBCOMMANDS:
            return Subcommands(
                name=cmd_name,
                help=module.__doc__,
                epilog=module.EXAMPLES,
                invoke_without_command=True,
                rich_markup_mode=None,
            )
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command

    def name_in_full(self, name: str) -> str:
        """How a command of this group is typed after `localreg`."""
        return name

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was typed, or propose the nearest."""
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            group = ctx.command_path.split()[1:]
            hint = CommandLine(*group, *near, *args[1:]) if near else CommandLine(*group, "--help")
            raise UsageError(f"there is no command `{self.name_in_full(args[0])}`", hint=hint)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 -- Typer's signature
        """Show the examples."""
        write_examples(formatter, self.epilog)


class Group(Commands):
    """The program: its commands grouped by what a person wants."""

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Find out how wide the help may be, for every command's too."""
        return super().make_context(info_name, args, parent, terminal_width=width(), **extra)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Show the options, then the commands group by group."""
        write_options(formatter, "Options", self.get_params(ctx), ctx)
        for heading, commands in GROUPS.items():
            write_rows(formatter, heading, list(commands.items()))


class Subcommands(Commands):
    """A command that has commands of its own, each a module of its package; it takes the shared options too."""

    def name_in_full(self, name: str) -> str:
        """How a command of this group is typed after `localreg`."""
        return f"{self.name} {name}"

    @property
    def summaries(self) -> dict[str, str]:
        """Every command, in the order of the help, and a line on each."""
        return SUBCOMMANDS[str(self.name)]

    def get_params(self, ctx: Any) -> list[Any]:
        """The shared options, before the name of a command."""
        return [*super().get_params(ctx), *_shared(ctx)]

    def invoke(self, ctx: Any) -> Any:
        """Take in the shared options that were given here; without a command, show the help."""
        apply(session_of(ctx), **{str(param.name): ctx.params.pop(param.name, None) for param in _shared(ctx)})
        result = super().invoke(ctx)
        if ctx.invoked_subcommand is None:
            typer.echo(ctx.get_help())
        return result

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Show the commands, then the options."""
        write_rows(formatter, "Commands", list(self.summaries.items()))
        write_options(formatter, "Options", [self.get_help_option(ctx)], ctx)
        write_options(formatter, "Options of every command", _shared(ctx), ctx)


def command_app() -> typer.Typer:
    """An application for one command: its module names it `app`."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _shared(ctx: Any) -> list[Any]:
    root = ctx.find_root().command
    return [param for param in root.params if param.name not in _OWN_OPTIONS]


def apply(
    session: Session,
    *,
    engine: str | None,
    name: str | None,
    format: str | None,  # noqa: A002 -- the name of the option
    json: bool | None,
    quiet: bool | None,
    debug: bool | None,
) -> None:
    """Take in the shared options that were typed; those that were not stay as they are."""
    if name is not None:
        from localreg.registry.options import check_name  # noqa: PLC0415 -- not for help and version

        check_name(name)
    typed = {"engine": engine, "name": name, "format": format, "json": json, "quiet": quiet, "debug": debug}
    session.given |= {option: value for option, value in typed.items() if value not in (None, False)}
    # At once, for what goes wrong before the settings are known.
    session.take(session.given)


def take_format(session: Session, arguments: Sequence[str]) -> None:
    """Take in how results are wanted from a command line that could not be understood as a whole."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    if "--json" in arguments or "--format=json" in arguments or ("--format", "json") in pairs:
        session.format = Format.JSON
