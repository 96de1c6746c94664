"""Images from an archive into the registry, for `load` and `push`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from localreg.cli.batch import Failures
from localreg.cli.session import Session
from localreg.cli.storing import storing
from localreg.engines.port import Engine
from localreg.errors import UsageError
from localreg.oci.reference import Reference, parse_reference, registry_reference
from localreg.places.content import read_content
from localreg.places.layout.entries import find_entries
from localreg.places.layout.source import LayoutSource
from localreg.places.load import load
from localreg.places.opened import opened_source, opened_stream
from localreg.places.port import Content
from localreg.places.registry import Placed
from localreg.places.sparse import narrow
from localreg.registry.client import open_registry
from localreg.registry.container import Registry
from localreg.registry.start import await_start
from localreg.system.command_line import CommandLine

STDIN = "stdin"
"""How messages name an archive that has no path."""


def parse_as(as_: str | None) -> Reference | None:
    """Read the value of `--as`, which may have no tag.

    Raises:
        UsageError: it is not a valid name, or has a digest.
    """
    if as_ is None:
        return None
    typed = parse_reference(as_)
    if typed.digest:
        raise UsageError(f"`{as_}` has a digest; --as needs a name and maybe a tag")
    return Reference(None, registry_reference(typed, registry="").repository, typed.tag)


@contextlib.contextmanager
def read_archive(
    session: Session, path: Path | None, *, as_: Reference | None, again: CommandLine
) -> Iterator[tuple[LayoutSource, Content, Failures]]:
    """Read what an archive has; the rest of it can be read while the context lasts.

    Args:
        session: This run of the program.
        path: The archive; None for stdin.
        as_: Another name for its images.
        again: The command without `--as`.

    Yields:
        The archive; its content; and the names that cannot be read.

    Raises:
        InvalidArchiveError: it is not an image archive, is damaged, or names no image.
    """
    shown = STDIN if path is None else str(path)
    with contextlib.ExitStack() as stack:
        with session.waiting(f"reading {shown}"):
            opened = opened_stream(sys.stdin.buffer, STDIN) if path is None else opened_source(path)
            source = stack.enter_context(opened)
            wanted, narrowed, failed = narrow(source, find_entries(source, shown, as_=as_, again=again))
            content, unread = read_content(source, wanted)
        for each in narrowed:
            session.streams.warn(str(each))
        yield source, content, [(str(name), session.completed(error)) for name, error in (*failed, *unread)]


def load_archive(
    session: Session,
    engine: Engine,
    registry: Registry,
    path: Path | None,
    *,
    as_: Reference | None,
    again: CommandLine,
) -> tuple[list[Placed], int, Failures]:
    """Copy the images of an archive into the registry.

    Args:
        session: This run of the program.
        engine: The engine that has the registry.
        registry: The registry.
        path: The archive; None for stdin.
        as_: Another name for its images.
        again: The command without `--as`.

    Returns:
        The images; the bytes of the blobs that the registry lacked; and the names that cannot be read.

    Raises:
        InvalidArchiveError: it is not an image archive, is damaged, or names no image.
        RegistryError: the registry does not take it.
    """
    await_start(registry)
    with read_archive(session, path, as_=as_, again=again) as (source, content, failures):
        if not content.names:
            return [], 0, failures
        shown = STDIN if path is None else str(path)
        with (
            storing(engine, registry, content.members, what=shown),
            open_registry(registry) as client,
            session.copy_display() as watcher,
        ):
            return *load(source, content, client, watcher=watcher), failures
