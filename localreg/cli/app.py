"""The program: its global options, and the one place that catches errors."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from localreg import __version__
from localreg.cli import commands, help_page
from localreg.cli.session import Session, session_of
from localreg.errors import INTERRUPTED, TERMINATED, InternalError, LocalregError, UsageError, reason_of
from localreg.registry.defaults import DEFAULT_NAME
from localreg.system.command_line import CommandLine, Sentence

_STDERR = 2
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
_TYPERS_WORDS = (
    (r"^no such option: (\S+).*", r"unknown option `\1`"),
    (r"^got unexpected extra argument\(s\) \((.*)\)$", r"unexpected argument `\1`"),
    (r"is not a valid int( range)?$", "is not a whole number"),
    (r"is not a valid float$", "is not a number"),
    (r"(\S+) is not in the range (\d+)<=x<=(\d+)$", r"`\1` is not between \2 and \3"),
    (r"(\S+) is not in the range x>=(\d+)$", r"`\1` is less than \2"),
    (r"\. Choose from: ", ": choose from "),
)
"""Typer's messages, and what localreg says instead."""

app = typer.Typer(
    name="localreg",
    cls=commands.Group,
    help="Run a private OCI image registry on your own machine, with Docker or Podman.",
    epilog=help_page.examples(
        "localreg up", "localreg push ansible-playbook:latest", "localreg ls", "localreg push --help"
    ),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    # In bash, Typer's completion splits words at a colon; `localreg completion` does not.
    add_completion=False,
    invoke_without_command=True,
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 -- Typer calls it with the flag
    if wanted:
        print(f"localreg {__version__}")
        raise typer.Exit


@app.callback()
def program(
    context: typer.Context,
    engine: Annotated[
        Literal["auto", "docker", "podman"] | None,
        typer.Option(
            metavar="auto|docker|podman",
            help="Engine to use; auto finds the one with the registry",
            show_default="auto",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Name of the registry", show_default=DEFAULT_NAME)
    ] = None,
    format: Annotated[  # noqa: A002 -- the name of the option
        Literal["table", "plain", "json"] | None,
        typer.Option(
            metavar="table|plain|json",
            help="Output format",
            show_default="table on a terminal, plain otherwise",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Same as --format json")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print less: names only, no progress or hints")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback for errors")] = False,
    version: Annotated[  # noqa: ARG001 -- its callback answers
        bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version")
    ] = False,
) -> None:
    """Apply the global options."""
    commands.apply(session_of(context), engine=engine, name=name, format=format, json=json, quiet=quiet, debug=debug)
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: The command line without the program's name; by default, that of this process.

    Returns:
        The exit code.
    """
    session = Session()
    _prepare_process()
    try:
        code = app(args=arguments, prog_name="localreg", standalone_mode=False, obj=session)
        sys.stdout.flush()
        _forget_closed_pipes()
    except (UsageError, typer.TyperException) as exc:
        return _refuse(session, arguments, exc)
    except LocalregError as exc:
        return _fail(session, exc)
    except (commands.ReaderGoneError, BrokenPipeError):
        _forget_closed_pipes()
        return 0
    except (KeyboardInterrupt, typer.Abort, _TerminatedError) as exc:
        return TERMINATED if isinstance(exc, _TerminatedError) else INTERRUPTED
    except Exception as exc:  # noqa: BLE001 -- a bug must not end in a traceback
        full = _no_room(exc)
        return _fail(session, full) if full else _report_bug(session, exc)
    return code if isinstance(code, int) else 0


class _TerminatedError(BaseException):
    """A signal asks the program to end. It cleans up as it does after Ctrl-C."""


def _terminate(_signal: int, _frame: object) -> None:
    raise _TerminatedError


def _hang_up(_signal: int, _frame: object) -> None:
    # A shell may send this signal again while localreg cleans up.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    raise _TerminatedError


def _prepare_process() -> None:
    """Handle the signals that end a program, and replace streams that were closed before the start."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
        # nohup ignores this signal; so does localreg then.
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signal.signal(signal.SIGHUP, _hang_up)
    # A file that is opened later must not become one of the three streams of a child process.
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(descriptor)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: PTH123, SIM115 -- for as long as the process lasts
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: PTH123, SIM115


def _refuse(session: Session, arguments: Sequence[str] | None, error: UsageError | typer.TyperException) -> int:
    """Report a wrong command line. Its options may not have been parsed yet, so look for `--json` first."""
    commands.take_format(session, sys.argv[1:] if arguments is None else arguments)
    return _fail(
        session, error if isinstance(error, UsageError) else UsageError(_as_ours(error), hint=_help_for(error))
    )


def _forget_closed_pipes() -> None:
    """Flush now and ignore errors: at exit, Python would fail again on the closed pipe or the full disk."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _fail(session: Session, error: LocalregError) -> int:
    session.streams.fail(session.completed(error))
    _forget_closed_pipes()
    if session.debug:
        traceback.print_exception(error)
    return error.exit_code


def _no_room(error: Exception) -> LocalregError | None:
    """The error to report if the disk is full, for any file; None for other errors."""
    if not isinstance(error, OSError) or error.errno not in _NO_ROOM:
        return None
    where = f" `{error.filename}`" if error.filename else ""
    return LocalregError(f"cannot write{where}: {reason_of(error)}")


def _as_ours(error: typer.TyperException) -> str:
    """Typer's message in localreg's words."""
    message = " ".join(error.format_message().split()).rstrip(".").replace("'", "`").replace('"', "`")
    message = message[:1].lower() + message[1:]
    for pattern, ours in _TYPERS_WORDS:
        message = re.sub(pattern, ours, message)
    nearest = next(iter(getattr(error, "possibilities", None) or ()), None)
    return f"{message}; did you mean `{nearest}`?" if nearest else message


def _help_for(error: typer.TyperException) -> CommandLine:
    if getattr(error, "option_name", None) in ("--version", "-V"):
        return CommandLine("--version")
    context = getattr(error, "ctx", None)
    return CommandLine(*(context.command_path.split()[1:] if context else ()), "--help")


def _report_bug(session: Session, error: Exception) -> int:
    if session.debug:
        traceback.print_exception(error)
    bug = InternalError(
        f"this is a bug in localreg: {type(error).__name__}: {error}", hint=Sentence("run it again with --debug")
    )
    session.streams.fail(bug)
    return bug.exit_code
