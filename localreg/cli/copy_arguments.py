"""What people type as an end of a copy and mean otherwise, each with the command that they meant."""

from __future__ import annotations

from localreg.cli.archive_arguments import ends_like_archive, exists, path_after_transport
from localreg.content.pattern import registry_in_pattern
from localreg.errors import LocalregError, RepositoryNotFoundError, UsageError
from localreg.places.copy import End
from localreg.system.command_line import CommandLine, Sentence


def refuse_paths(source: str, destination: str) -> None:
    """Refuse files and folders, which are for other commands.

    Raises:
        UsageError: an end is a path.
    """
    file = path_after_transport(source)
    if file is not None:
        raise UsageError(f"`{source}` is an archive; copy works between registries", hint=CommandLine("push", file))
    instead = {source: CommandLine("push", source), destination: CommandLine("save", "-o", destination, source)}
    for end, command in instead.items():
        if _is_path(end):
            raise UsageError(f"`{end}` is a path; copy works between registries", hint=command)


def _is_path(end: str) -> bool:
    if end in (".", "..") or end.startswith(("./", "../")):
        return True
    if "/" in end:
        # A name of a registry may begin or end like a path.
        return end != "/" and (end.startswith("/") or ends_like_archive(end)) and exists(end)
    return ends_like_archive(end)


def refuse_pattern(source: str, destination: str) -> None:
    """Refuse a source with wildcards.

    Raises:
        UsageError: it has one.
    """
    if not any(mark in source for mark in "*?"):
        return
    host = registry_in_pattern(source)
    pattern = source.removeprefix(f"{host}/") if host else source
    below = destination if destination.endswith("/") else f"{destination}/"
    raise UsageError(
        f"the source `{source}` is a pattern; patterns come after the destination",
        hint=CommandLine("copy", f"{host or ''}/", below, pattern),
    )


def with_way_out(source: End, error: LocalregError) -> LocalregError:
    """The error with a hint if the registry of the command lacks a source that was typed without a host."""
    if source.registry is not None or error.hint or not isinstance(error, RepositoryNotFoundError):
        return error
    others = "images of Docker Hub begin with `docker.io/`"
    if source.tag or source.digest or source.is_folder:
        return error.with_(hint=Sentence(f"run `localreg ls` to see what it has; {others}"))
    return error.with_(hint=Sentence(f"name a tag, or add --all for all of its tags; {others}"))
