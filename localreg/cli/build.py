"""`localreg build`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from localreg.cli.batch import do_each, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries, registry_in
from localreg.cli.session import session_of
from localreg.engines.build import BuildRequest
from localreg.engines.discovery.builder import find_builder
from localreg.errors import BuildFailedError
from localreg.images.build import (
    check_request,
    find_missing_login,
    lacks_login,
    plan_build,
    push_built,
    run_build,
    told_that_it_is_built,
)
from localreg.images.push_check import check_takes_pushes
from localreg.images.transfer import Transferred
from localreg.output.push import render
from localreg.system.command_line import CommandLine, Sentence

app = command_app()


@app.command(
    cls=Command,
    epilog=examples(
        "localreg build", "localreg build --ssh default -t team/api:1.4.2", "localreg build site --target runtime"
    ),
)
def build(
    context: typer.Context,
    path: Annotated[str, typer.Argument(metavar="[PATH]", help="Folder to build, a URL, or - for stdin")] = ".",
    tags: Annotated[
        list[str] | None,
        typer.Option(
            "--tag",
            "-t",
            metavar="NAME[:TAG]",
            help="Name in the registry; can be repeated",
            show_default="name of the folder",
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", "-f", metavar="FILE", help="Path of the Dockerfile", show_default="the one in the folder"
        ),
    ] = None,
    build_args: Annotated[
        list[str] | None,
        typer.Option("--build-arg", metavar="KEY[=VALUE]", help="Set a build argument; can be repeated"),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="STAGE", help="Stage to build", show_default="the last one")
    ] = None,
    ssh: Annotated[
        list[str] | None,
        typer.Option(metavar="ID[=SOCKET|KEY]", help="Let the build use your ssh agent (ID default) or a key"),
    ] = None,
    secrets: Annotated[
        list[str] | None, typer.Option("--secret", metavar="id=ID[,src=FILE]", help="Let the build read a secret")
    ] = None,
    platforms: Annotated[
        list[str] | None, typer.Option("--platform", metavar="OS/ARCH", help="Platform to build for")
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Do not use the build cache")] = False,
) -> None:
    """Build an image and push it to the registry.

    localreg runs the engine's own builder, such as docker build or podman build.
    """
    request = BuildRequest(
        path,
        file,
        tuple(build_args or ()),
        tuple(ssh or ()),
        tuple(secrets or ()),
        target=target,
        # The request keeps all of them, so that several are refused however they are typed.
        platform=",".join(platforms) if platforms else None,
        no_cache=no_cache,
        names=tuple(tags or ()),
    )
    names = check_request(request)
    session = session_of(context)
    with session.selection() as selection:
        engine = selection.engine
        registry = session.running_registry(engine)

        def again(name: str, short: str) -> CommandLine:
            chosen = tuple(short if each == name else each for each in names)
            return replace(request, names=chosen).as_command()

        refuse_other_registries(selection, registry, {name: registry_in(name) for name in names}, again)
        builder = find_builder(engine.info())
        plan = plan_build(builder, engine, registry, request, names)
        check_takes_pushes(registry, *(transfer.reference.repository for transfer in plan))
    for transfer in plan:
        session.streams.note(f"{path} -> {transfer.reference}, with {builder.name}")
    login = find_missing_login(registry) if builder.lend_login else None
    try:
        image_id = run_build(builder, request, plan, output=session.streams.shared_stderr, login=login)
    except BuildFailedError as exc:
        if login is not None or not lacks_login(registry):
            raise
        hint = Sentence(f"to build from an image in this registry, first run `{session.command} login`")
        raise exc.with_(hint=hint) from exc
    # A private Podman service may have stopped during a long build, so connect again.
    with told_that_it_is_built(plan, command=session.command), session.opened() as engine:
        registry = session.running_registry(engine)
        planned = {transfer.source: transfer for transfer in plan}

        def move(name: str) -> Transferred:
            with session.transfer_display() as on_progress:
                return push_built(
                    engine,
                    registry,
                    request,
                    planned[name],
                    image_id,
                    on_progress=on_progress,
                    notify=session.streams.note,
                )

        moved, failures = do_each(session, list(planned), move)
    show_all(session, render(moved, failures) if moved else None, failures)
