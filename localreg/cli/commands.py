"""Commands for Typer: imported on use, grouped in the help, with global options before and after the name."""

from __future__ import annotations

import difflib
import functools
import importlib
import os
import re
from collections.abc import Sequence
from typing import Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from localreg.cli.command_list import ALSO_ALONE, GROUPS, SUBCOMMANDS
from localreg.cli.help_page import (
    GLOBAL,
    usage,
    width,
    write_examples,
    write_global_names,
    write_parameters,
    write_rows,
)
from localreg.cli.other_names import MEANT, misspelt_variables
from localreg.cli.session import Session, session_of
from localreg.errors import UsageError
from localreg.output.streams import Format
from localreg.system.command_line import CommandLine, Sentence

_OWN_OPTIONS = frozenset({"help", "version", "install_completion", "show_completion"})

_UNLISTED = frozenset({"tunnel keep"})
"""localreg runs these itself, in another process."""

BESIDE = frozenset(f"{name} {own}" for name in ALSO_ALONE for own in SUBCOMMANDS[name])
"""The commands of a command that also does something without one."""


class ReaderGoneError(Exception):
    """The reader of our output closed the pipe. This is not a failure."""


class Command(TyperCommand):
    """A command that also accepts the global options after its name."""

    runs_with_broken_settings = False
    """A problem with a setting does not end it; it finds them in `Session.problems`."""

    option_of_argument: str | None = None
    """The option that a single argument was probably meant for, if the command accepts no arguments."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its own parameters, then the global options."""
        return [*super().get_params(ctx), *_shared(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as exc:
            if self.option_of_argument is not None:
                _refuse_argument(ctx, exc, typed, self.option_of_argument)
            # For an option without its value, Typer forgets the command.
            if getattr(exc, "ctx", None) is None:
                vars(exc)["ctx"] = ctx
            raise

    def invoke(self, ctx: Any) -> Any:
        """Apply the global options that were typed here, then run."""
        session = session_of(ctx)
        apply(session, **{str(param.name): ctx.params.pop(param.name, None) for param in _shared(ctx)})
        self._take_settings(ctx, session)
        try:
            return super().invoke(ctx)
        except BrokenPipeError as exc:
            # Typer would exit with 1.
            raise ReaderGoneError from exc

    def _take_settings(self, ctx: Any, session: Session) -> None:
        """Take options that were not typed from the environment and the settings files."""
        from localreg.settings import DEFAULT, resolve  # noqa: PLC0415 -- not for help and version

        own = {name: name.replace("_", "-") for name in ctx.params}
        typed = {name: ctx.params[name] for name in own if ctx.get_parameter_source(name).name == "COMMANDLINE"}
        settings = resolve(
            {**session.given, **{own[name]: value for name, value in typed.items()}},
            report=session.problems.append if self.runs_with_broken_settings else None,
        )
        session.settings = settings
        session.take({name: value.value for name, value in settings.items()})
        for variable, meant in misspelt_variables(os.environ):
            session.streams.warn(f"{variable} is not a setting; did you mean {meant}?")
        for name, option in own.items():
            if option in settings and name not in typed and settings[option].source != DEFAULT:
                ctx.params[name] = settings[option].value

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """The usage line, without Typer's braces."""
        return usage(super().collect_usage_pieces(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Show the command's own options in full, and the global ones by name."""
        own = super().get_params(ctx)
        for heading, kind in (("Arguments", "argument"), ("Options", "option")):
            mine = [param for param in own if param.param_type_name == kind and param.name != "help"]
            write_parameters(formatter, heading, mine, ctx)
        if beside := SUBCOMMANDS.get(str(self.name)):
            write_rows(formatter, "Commands", [(name, summary, None) for name, summary in beside.items()])
        _write_global(formatter, ctx)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 -- Typer's signature
        """Show the examples."""
        write_examples(formatter, self.epilog)


class Commands(TyperGroup):
    """A group of commands, each imported when it is used."""

    @property
    def summaries(self) -> dict[str, str]:
        """Every command and its summary, in the order of the help."""
        return {name: summary for commands in GROUPS.values() for name, summary in commands.items()}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 -- Typer's signature
        """Every command, in the order of the help."""
        return list(self.summaries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a command; None if it does not exist."""
        full = self.name_in_full(cmd_name)
        if cmd_name not in self.list_commands(ctx) and full not in {*_UNLISTED, *BESIDE}:
            return None
        return _build(full, cmd_name)

    def name_in_full(self, name: str) -> str:
        """The command as it is typed after `localreg`."""
        return name

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command that was typed, or suggest the closest."""
        if " ".join(args[:2]) in BESIDE:
            args = [" ".join(args[:2]), *args[2:]]
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            raise UsageError(f"unknown command `{self.name_in_full(args[0])}`", hint=self._hint(ctx, args))
        return super().resolve_command(ctx, args)

    def _hint(self, ctx: Any, args: list[str]) -> str:
        """The command that was probably meant, or advice."""
        group = ctx.command_path.split()[1:]
        meant = MEANT[" ".join(group)].get(args[0], "")
        near = meant.split() or difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
        return CommandLine(*group, *near, *args[1:]) if near else CommandLine(*group, "--help")

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 -- Typer's signature
        """Show the examples."""
        write_examples(formatter, self.epilog)


@functools.cache
def _build(full: str, name: str) -> Any:
    """Import a command. Typer asks for it twice, and reads the signature of its function each time."""
    module = importlib.import_module(f"localreg.cli.{full.replace(' ', '.').replace('-', '_')}")
    if full in SUBCOMMANDS and full not in ALSO_ALONE:
        return Subcommands(
            name=name,
            help=module.__doc__,
            epilog=module.EXAMPLES,
            invoke_without_command=True,
            rich_markup_mode=None,
        )
    command = typer.main.get_command(module.app)
    command.name = name
    return command


class Group(Commands):
    """The program: its commands, grouped by purpose."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Read `help COMMAND` as `COMMAND --help`."""
        if args in (["help"], ["help", "help"]):
            typer.echo(ctx.get_help())
            raise typer.Exit
        return super().resolve_command(ctx, [*args[1:], "--help"] if args[0] == "help" else args)

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Set the width of the help, also for every command."""
        return super().make_context(info_name, args, parent, terminal_width=width(), **extra)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Show the commands group by group, then the global options."""
        for heading, commands in GROUPS.items():
            write_rows(formatter, heading, [(name, summary, None) for name, summary in commands.items()])
        write_parameters(formatter, GLOBAL, self.get_params(ctx), ctx)


class Subcommands(Commands):
    """A command with subcommands, each a module of its package; it also accepts the global options."""

    def name_in_full(self, name: str) -> str:
        """The command as it is typed after `localreg`."""
        return f"{self.name} {name}"

    @property
    def summaries(self) -> dict[str, str]:
        """Every command and its summary, in the order of the help."""
        return SUBCOMMANDS[str(self.name)]

    def get_params(self, ctx: Any) -> list[Any]:
        """The global options, before the name of a subcommand."""
        return [*super().get_params(ctx), *_shared(ctx)]

    def invoke(self, ctx: Any) -> Any:
        """Apply the global options that were typed here; without a subcommand, show the help."""
        apply(session_of(ctx), **{str(param.name): ctx.params.pop(param.name, None) for param in _shared(ctx)})
        result = super().invoke(ctx)
        if ctx.invoked_subcommand is None:
            typer.echo(ctx.get_help())
        return result

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Show the subcommands, then the names of the global options."""
        write_rows(formatter, "Commands", [(name, summary, None) for name, summary in self.summaries.items()])
        _write_global(formatter, ctx)


def _refuse_argument(ctx: Any, error: typer.TyperException, typed: list[str], option: str) -> None:
    """Raise an error whose hint has the option before the argument; does nothing for other errors."""
    found = re.fullmatch(r"Got unexpected extra argument(?:\(s\))? \((.*)\)", error.format_message(), re.DOTALL)
    name = next(str(param.name) for param in ctx.command.params if option in param.opts)
    if found is None or ctx.params.get(name) is not None or typed.count(found[1]) != 1:
        return
    at = typed.index(found[1])
    path = ctx.command_path.split()[1:]
    raise UsageError(
        f"unexpected argument `{found[1]}`", hint=CommandLine(*path, *typed[:at], option, *typed[at:])
    ) from error


def command_app() -> typer.Typer:
    """The Typer application of one command; its module calls it `app`."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def _shared(ctx: Any) -> list[Any]:
    """The global options; the help option is not one of them, since Typer adds it to each command."""
    root = ctx.find_root().command
    return [param for param in root.params if param.name not in _OWN_OPTIONS]


def _write_global(formatter: Any, ctx: Any) -> None:
    write_global_names(formatter, [*_shared(ctx), ctx.command.get_help_option(ctx)], ctx.find_root().info_name)


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
    """Apply the global options that were typed; the others keep their value."""
    if name is not None:
        from localreg.registry.options import check_name  # noqa: PLC0415 -- not for help and version

        check_name(name)
    typed = {"engine": engine, "name": name, "format": format, "json": json, "quiet": quiet, "debug": debug}
    session.given |= {option: value for option, value in typed.items() if value not in (None, False)}
    other = session.given.get("format", Format.JSON)
    if session.given.get("json") and other != Format.JSON:
        raise UsageError(f"--json and --format {other} cannot be combined", hint=Sentence("leave out one of them"))
    # Errors before the settings are read must already respect these.
    session.take(session.given)


def take_format(session: Session, arguments: Sequence[str]) -> None:
    """Find `--json` in a command line that could not be parsed, so that the error is JSON as well."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    if "--json" in arguments or "--format=json" in arguments or ("--format", "json") in pairs:
        session.format = Format.JSON
