"""`localreg ci`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localreg.ci.request import USER, Request, System, plan_pipeline
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
        typer.Argument(metavar="SYSTEM", help="CI system: bitbucket, github, gitlab, or shell for any other"),
    ],
    far_host: Annotated[
        str | None,
        typer.Option(
            "--host",
            metavar="HOST",
            help="Machine that the pipeline logs in to; anything that ssh accepts",
            show_default="host of the open tunnel",
        ),
    ] = None,
    repository: Annotated[
        str | None,
        typer.Option("--image", metavar="NAME", help="Name of the image", show_default="name of this folder"),
    ] = None,
    remote_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65535,
            help="Port of the registry on that machine",
            show_default=f"port of the open tunnel, or {DEFAULT_REMOTE_PORT}",
        ),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(
            metavar="USER",
            help="User of a registry that requires a login",
            show_default=f"{USER}, if that of the open tunnel does",
        ),
    ] = None,
    speaks_tls: Annotated[
        bool, typer.Option("--tls", help="The registry speaks TLS, as that of an open tunnel tells by itself")
    ] = False,
) -> None:
    """Print a CI pipeline that pushes through a tunnel.

    The pipeline uses Docker; with --engine podman, it uses Podman.
    """
    # A setting is about the engine of this machine; only a typed option is about the pipeline's.
    engine: EngineName = "podman" if session_of(context).given.get("engine") == "podman" else "docker"
    request = Request(system, engine, far_host, repository, remote_port, user, speaks_tls)
    pipeline = plan_pipeline(request, folder=Path.cwd().name, tunnels=list_open_tunnels())
    print(pipeline_text(pipeline))  # noqa: T201 -- the script in every format, as `completion` does
