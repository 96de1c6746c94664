"""`localreg inspect`."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Annotated

import typer

from localreg.cli.batch import do_each, refuse_patterns, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries, registry_in
from localreg.cli.session import session_of
from localreg.content.inspect import Inspected, Inspector
from localreg.content.short_digest import read_reference
from localreg.errors import EngineError, UsageError
from localreg.oci.manifest import Platform
from localreg.oci.platform import parse_platform
from localreg.output.inspect import render
from localreg.registry.client import open_registry
from localreg.registry.container import Registry
from localreg.registry.volume import READING_SECONDS, WritableVolume, open_volume
from localreg.system.command_line import CommandLine

app = command_app()


@app.command(
    cls=Command,
    epilog=examples(
        "localreg inspect ansible-playbook:latest",
        "localreg inspect team/api:1.4.2 --platform linux/arm64",
        "localreg inspect team/api:1.4.2 --raw | sha256sum",
    ),
)
def inspect(
    context: typer.Context,
    reference: Annotated[list[str], typer.Argument(metavar="REFERENCE...", help="Tags or digests to show")],
    platform: Annotated[
        str | None, typer.Option("--platform", metavar="OS/ARCH", help="Show this platform of an index")
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Print the manifest, byte for byte")] = False,
    config: Annotated[bool, typer.Option("--config", help="Print the config, byte for byte")] = False,
) -> None:
    """Show what the registry stores about an image.

    The platforms, the config, the layers with the tags that share them, the history, signatures and attestations.
    """
    session = session_of(context)
    refuse_patterns(session, reference, "inspect")
    for name in reference:
        read_reference(name)
    wanted = parse_platform(platform) if platform else None
    bytes_only = raw or config
    if bytes_only and len(reference) > 1:
        option = "--config" if config else "--raw"
        raise UsageError(f"{option} works with one reference only", hint=CommandLine("inspect", "REFERENCE", option))
    with session.selection() as selection, contextlib.ExitStack() as stack:
        registry = session.running_registry(selection.engine)
        again = ["--platform", platform] if platform else []
        refuse_other_registries(
            selection,
            registry,
            {name: registry_in(name.partition("@")[0]) for name in reference},
            lambda _, short: CommandLine("inspect", short, *again),
        )
        volume = open_volume(selection.engine, registry, patience=READING_SECONDS)
        reading = session.waiting("reading the registry")
        if bytes_only:
            with reading:
                inspector = _open(registry, volume, stack)
                found = inspector.find(reference[0], platform=wanted)
                data = inspector.read_config(found) if config else found.stored.data
            session.streams.show_bytes(data)
            return
        with reading:
            look = partial(_look, _open(registry, volume, stack), wanted, names_only=session.streams.shows_names_only)
            results, failures = do_each(session, reference, look)
    shown = render(results, failures, location=registry.get_location(), command=session.command)
    show_all(session, shown if results else None, failures)


def _look(inspector: Inspector, platform: Platform | None, name: str, *, names_only: bool) -> Inspected:
    found = inspector.find(name, platform=platform)
    return Inspected(found) if names_only else inspector.inspect(found)


def _open(registry: Registry, volume: WritableVolume | None, stack: contextlib.ExitStack) -> Inspector:
    """Open the registry, or its volume if this machine cannot reach it, as on an engine on another machine."""
    if registry.only_volume_tells and volume is not None:
        try:
            return Inspector(registry, None, volume)
        except EngineError:
            # Its error has a hint.
            registry.get_url()
            raise
    return Inspector(registry, stack.enter_context(open_registry(registry)), volume)
