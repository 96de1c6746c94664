"""`localreg env`."""

from __future__ import annotations

import os
import sys
from pathlib import PurePath
from typing import Annotated, Literal

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import NAME_ARGUMENT, session_of
from localreg.output.env import Shell, how_to_use, render, render_unset
from localreg.registry.env import VARIABLES, get_variables
from localreg.registry.running import get_running_registry

app = command_app()

_Name = Literal["bash", "zsh", "fish", "powershell", "cmd", "dotenv", "github"]


@app.command(
    cls=Command,
    epilog=examples(
        'eval "$(localreg env)"', "localreg env --shell fish | source", 'localreg env --shell github >> "$GITHUB_ENV"'
    ),
)
def env(
    context: typer.Context,
    registry_name: Annotated[str | None, NAME_ARGUMENT] = None,
    shell: Annotated[
        _Name | None,
        typer.Option(
            metavar="SHELL",
            help="Who reads them: bash, zsh, fish, powershell, cmd, dotenv or github",
            show_default="the shell in SHELL",
        ),
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Take the variables back")] = False,
) -> None:
    """Print the variables that name the registry.

    With them, ko, Skaffold and Knative's func push to this registry, and localreg uses it without --name.
    """
    session = session_of(context)
    session.take_name(registry_name)
    reader = Shell(shell) if shell else _shell_of_user()
    if unset:
        session.streams.show(render_unset(VARIABLES, reader))
        return
    with session.opened() as engine:
        registry = get_running_registry(engine, session.name)
    chosen = None if session.engine == "auto" else session.engine
    session.streams.show(render(get_variables(registry, engine=chosen), reader))
    if sys.stdout.isatty():
        session.streams.hint(how_to_use(reader, f"{session.command} env{f' --shell {shell}' if shell else ''}"))


def _shell_of_user() -> Shell:
    name = PurePath(os.environ.get("SHELL", "")).stem
    if name in (Shell.FISH, Shell.ZSH):
        return Shell(name)
    return Shell.POWERSHELL if not name and sys.platform == "win32" else Shell.BASH
