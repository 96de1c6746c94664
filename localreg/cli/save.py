"""`localreg save`."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from localreg.cli.batch import Failures, not_found, show_all
from localreg.cli.commands import Command, command_app
from localreg.cli.help_page import examples
from localreg.cli.other_registry import refuse_other_registries
from localreg.cli.session import Session, session_of
from localreg.content.pattern import registry_in_pattern
from localreg.errors import LocalregError, UsageError
from localreg.oci.api import RegistryClient
from localreg.output.save import render
from localreg.places import save as saving
from localreg.places.content import Failed
from localreg.places.layout.archive import Output
from localreg.places.part_file import PartFile, Stream, is_stream, opened_stream
from localreg.places.port import Content, Wanted
from localreg.registry.client import open_registry
from localreg.system.amount import parse_amount
from localreg.system.command_line import CommandLine, Sentence

app = command_app()

_STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
Archive = tuple[Output, PartFile | Stream]
"""What an archive is written to, and the file beneath, which may get it compressed."""


@app.command(
    cls=Command,
    epilog=examples(
        "localreg save -o registry.tar",
        "localreg save -o release.tar team/api:1.4.2 'team/web:*'",
        "localreg save team/api:1.4.2 | ssh server localreg load",
    ),
)
def save(
    context: typer.Context,
    reference: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[REFERENCE...]",
            help="Tags, digests, repositories or patterns; * and ? are wildcards",
            show_default="everything",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            readable=False,
            help="Write this file; - is stdout",
            show_default="-",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Write files of at most this size, such as 4G: FILE.000, FILE.001"),
    ] = None,
    zstd: Annotated[
        bool, typer.Option("--zstd", help="Compress with Zstandard; layers are compressed already and gain nothing")
    ] = False,
) -> None:
    """Save images of the registry to an archive.

    The archive is an OCI image layout. It keeps tags, indexes, signatures and other artifacts, all with their digests.
    `localreg load` and other programs read it.
    """
    session = session_of(context)
    names = reference or []
    path = _path(output, names)
    most = _most(split, path)
    with session.selection() as selection:
        registry = session.running_registry(selection.engine)
        named = {name: registry_in_pattern(name) for name in names}
        options = (
            *(("-o", str(output)) if output else ()),
            *(("--split", split) if split else ()),
            *(("--zstd",) if zstd else ()),
        )
        refuse_other_registries(selection, registry, named, lambda _, short: CommandLine("save", *options, short))
        with open_registry(registry) as client:
            with session.waiting("reading the registry"):
                wanted, missing = saving.find_wanted(client, names)
            archive = functools.partial(_opened, path, most, zstd=zstd)
            is_file = path is not None and not is_stream(path)
            images, failed, size = _save(
                session, client, wanted, archive, location=registry.get_location(), can_repeat=is_file
            )
    failures: Failures = [*not_found(session, missing), *(_failure(session, *each) for each in failed)]
    shown = None
    if images and path is not None:
        shown = render(images, failures, file=path, size=size, parts=most is not None, is_stream=not is_file)
    show_all(session, shown, failures)


def _failure(session: Session, name: Wanted, error: LocalregError) -> tuple[str, LocalregError]:
    return str(name), session.completed(error)


def _cut(error: saving.WrongBlobError, content: Content) -> LocalregError:
    """The error for an archive that cannot begin again."""
    has_it = content.names_with(error.digest)
    return error.with_(
        message=f"cannot save `{has_it[0]}`: {error.message}" if has_it else None,
        hint=Sentence("save to a file, with -o; then the other images are saved"),
    )


def _path(output: Path | None, names: Sequence[str]) -> Path | None:
    """The file to write; None for stdout.

    Raises:
        UsageError: an archive cannot be written there.
    """
    # Unlike that of a `Path`, this does not fail on a name that is too long: writing tells that.
    if output is not None and os.path.isdir(output):  # noqa: PTH112 -- see above
        raise UsageError(
            f"`{output}` is a folder", hint=CommandLine("save", "-o", str(output / "registry.tar"), *names)
        )
    if output is not None and str(output) not in _STDOUT:
        return output
    if sys.stdout.isatty():
        raise UsageError("an archive cannot be shown on a terminal", hint=CommandLine("save", "-o", "FILE", *names))
    return None


def _most(split: str | None, path: Path | None) -> int | None:
    """The most bytes of a file; None for one file.

    Raises:
        UsageError: it is not a valid size, or there is no file to split.
    """
    if split is None:
        return None
    if path is None or is_stream(path):
        raise UsageError("--split needs a file", hint=CommandLine("save", "-o", "FILE", "--split", split))
    return parse_amount(split)


def _save(
    session: Session,
    client: RegistryClient,
    wanted: Sequence[Wanted],
    archive: Callable[[], AbstractContextManager[Archive]],
    *,
    location: str,
    can_repeat: bool,
) -> tuple[list[saving.SavedImage], Failed, int]:
    """Save what can be saved; returns the images, the failures, and the bytes of the archive."""
    wrong: dict[str, LocalregError] = {}
    while True:
        with session.waiting("reading the registry"):
            place, content, failed = saving.read_wanted(client, wanted, wrong=wrong)
        if not content.names:
            return [], failed, 0
        try:
            with session.copy_display() as watcher, archive() as (target, file):
                images = saving.save(place, content, target, location=location, watcher=watcher)
        except saving.WrongBlobError as exc:
            if not can_repeat:
                raise _cut(exc, content) from exc
            # The archive begins again, without the images that have it.
            wrong[exc.digest] = exc.with_(details=())
        else:
            return images, failed, file.size


@contextlib.contextmanager
def _opened(path: Path | None, split: int | None, *, zstd: bool) -> Iterator[Archive]:
    with contextlib.ExitStack() as stack:
        file: PartFile | Stream
        if path is None:
            file = Stream(sys.stdout.buffer, "stdout")
        elif is_stream(path):
            file = stack.enter_context(opened_stream(path))
        else:
            file = stack.enter_context(PartFile(path, split=split))
        if zstd:
            from localreg.places.zstd import compressed  # noqa: PLC0415 -- loads a library

            with compressed(file) as target:
                yield target, file
        else:
            yield file, file
        file.flush()
