"""`localreg config`."""

from __future__ import annotations

import os

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.output.config import render
from localreg.settings import find_project_file, user_file

app = command_app()


@app.command(cls=Command, epilog=examples("localreg config", "LOCALREG_PORT=5001 localreg config --json"))
def config(context: typer.Context) -> None:
    """Show the settings and where each one is set.

    A setting comes from an option, the environment, the project's file or your own file.
    """
    session = session_of(context)
    session.streams.show(render(session.settings, project=find_project_file(), user=user_file(os.environ)))
