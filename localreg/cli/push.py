"""`localreg push`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localreg.cli.archive_arguments import archives_in, is_path, path_after_transport
from localreg.cli.batch import Failures, do_each, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import local_registry_in, refuse_other_registries, registry_in
from localreg.cli.session import session_of
from localreg.errors import UsageError
from localreg.images.push import push_image
from localreg.images.tag import plan_tag, push_as
from localreg.images.transfer import Transferred, check_names
from localreg.oci.reference import find_reference
from localreg.output.push import render
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command,
    epilog=examples(
        "localreg push ansible-playbook:latest",
        "localreg push 3f57d9401f8d --as team/api:1.4.2",
        "localreg push ./app.tar --as team/app:1",
    ),
)
def push(
    context: typer.Context,
    image: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE|FILE...", help="Images to push, by name or ID; archives or layouts, by path"),
    ],
    as_: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME[:TAG]", help="Name in the registry", show_default="the image's own name"),
    ] = None,
) -> None:
    """Push images to the registry.

    localreg tags each image, pushes it, and checks that it arrived. An archive or an OCI layout goes into the registry
    without the engine, as with `localreg load`. If the engine has an image of that name, write ./FILE for the file.
    """
    if as_ is not None and len(image) > 1:
        raise UsageError("--as works with one image only", hint=CommandLine("push", "IMAGE", "--as", "NAME"))
    files = archives_in(image)
    check_names(*(name for name in image if name not in files), as_)
    session = session_of(context)
    with session.selection() as selection:
        engine = selection.engine
        registry = session.running_registry(engine)
        for name in image:
            file = path_after_transport(name)
            if file is not None and not engine.find_image(name):
                raise UsageError(
                    f"`{name}` is not an image; a file has no `{name.partition(':')[0]}:`",
                    hint=CommandLine("push", file),
                )
        files = [name for name in files if is_path(name) or find_reference(name) is None or not engine.find_image(name)]
        if as_ is None:
            named = {name: local_registry_in(name) for name in image if name not in files}
            refuse_other_registries(selection, registry, named, push_as)
        else:
            refuse_other_registries(
                selection, registry, {as_: registry_in(as_)}, lambda _, short: push_as(image[0], short)
            )

        def move(name: str) -> list[Transferred]:
            if name in files:
                return move_archive(name)
            transfer = plan_tag(engine, registry, name, destination=as_)
            session.streams.note(f"{name} -> {transfer.reference}")
            with session.transfer_display() as on_progress:
                pushed = push_image(engine, registry, transfer, on_progress=on_progress, notify=session.streams.note)
            if pushed.index:
                store = engine.info().name.capitalize()
                session.streams.warn(
                    f"{store} does not have all content of `{name}`, so only the image for one platform was pushed: "
                    f"{pushed.digest}, not the index {pushed.index}"
                )
            return [pushed]

        def move_archive(name: str) -> list[Transferred]:
            from localreg.cli.from_archive import load_archive, parse_as  # noqa: PLC0415 -- for archives only

            loaded, _, failed = load_archive(
                session, engine, registry, Path(name), as_=parse_as(as_), again=CommandLine("push", name)
            )
            unread.extend(failed)
            return [Transferred(name, f"{registry.get_location()}/{each.name}", each.name.digest) for each in loaded]

        unread: Failures = []
        moved, failures = do_each(session, image, move)
        failures += unread
    results = [result for each in moved for result in each]
    show_all(session, render(results, failures) if results else None, failures)
