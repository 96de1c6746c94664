"""`localreg completion`."""

from __future__ import annotations

from importlib.resources import files
from typing import Annotated, Literal

import typer

from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples

app = command_app()


class _Completion(Command):
    """A shell asks for the script when it starts, in any folder."""

    runs_with_broken_settings = True


@app.command(
    cls=_Completion,
    epilog=examples(
        "source <(localreg completion bash)",
        "localreg completion fish > ~/.config/fish/completions/localreg.fish",
    ),
)
def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish"],
        typer.Argument(metavar="SHELL", help="Your shell: bash, zsh or fish"),
    ],
) -> None:
    """Print the script for TAB completion.

    It completes commands, options, images and references.
    """
    print(files("localreg").joinpath(f"completions/localreg.{shell}").read_text(), end="")  # noqa: T201
