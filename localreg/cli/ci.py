"""`localreg ci`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localreg.ci.request import Request, System, plan_pipeline
from localreg.ci.text import pipeline_text
from localreg.ci.tunnels import list_open_tunnels
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.session import session_of
from localreg.engines.values import EngineName
from localreg.tunnels.spec import DEFAULT_REMOTE_PORT

app = command_app()


@app.command(
    cls=Command,
    epilog=examples(
        "localreg ci bitbucket > bitbucket-pipelines.yml",
        "localreg ci gitlab --host ci@build.example.com --image team/api",
        "localreg ci shell --engine podman",
    ),
)
def ci(
    context: typer.Context,
    system: Annotated[
        System,
        typer.Argument(metavar="SYSTEM", help="What runs it: bitbucket, github, gitlab, or shell for any other."),
    ],
    far_host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="HOST",
            help="What the pipeline logs in to, as `ssh` takes it.",
            show_default="where the open tunnel leads",
        ),
    ] = None,
    repository: Annotated[
        str | None,
        typer.Option("--image", metavar="NAME", help="What the image is called.", show_default="as this folder"),
    ] = None,
    remote_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65535,
            help="Where the registry answers there.",
            show_default=f"that of the open tunnel, else {DEFAULT_REMOTE_PORT}",
        ),
    ] = None,
) -> None:
    """Print a pipeline that pushes through the tunnel: it builds the image, with Docker unless --engine podman."""
    # What is set is for the engine of this machine.
    engine: EngineName = "podman" if session_of(context).given.get("engine") == "podman" else "docker"
    request = Request(system, engine, far_host, repository, remote_port)
    pipeline = plan_pipeline(request, folder=Path.cwd().name, tunnels=list_open_tunnels())
    print(pipeline_text(pipeline))  # noqa: T201 -- the script, whatever the format, as `completion` does
