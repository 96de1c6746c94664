"""`localreg config`."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from localreg.cli.batch import show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.errors import ConfigError
from localreg.output.config import render
from localreg.settings import find_project_file, user_file

app = command_app()


class _Config(Command):
    """It shows what is wrong beside what is in force."""

    runs_with_broken_settings = True


@app.command(cls=_Config, epilog=examples("localreg config", "LOCALREG_PORT=5001 localreg config --json"))
def config(context: typer.Context) -> None:
    """Show the settings and where each one is set.

    A setting comes from an option, the environment, the project's file or your own file. A setting with a mistake is
    left out and reported.
    """
    session = session_of(context)
    shown = render(session.settings, session.problems, project=_project_file(), user=user_file(os.environ))
    show_all(session, shown, [("", problem) for problem in session.problems])


def _project_file() -> Path | None:
    try:
        return find_project_file()
    except ConfigError:
        # Reported already: a pyproject.toml that cannot be read.
        return None
