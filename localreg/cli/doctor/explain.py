"""`localreg doctor explain`."""

from __future__ import annotations

from typing import Annotated

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.errors import UsageError

app = command_app()


@app.command(cls=Command, epilog=examples("localreg doctor explain 'connection refused'"))
def explain(
    context: typer.Context,  # noqa: ARG001 -- to come
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="Message to explain", show_default=False)],
) -> None:
    """Explain an error message of an engine or a client."""
    raise UsageError(f"no explanation for `{message}`")
