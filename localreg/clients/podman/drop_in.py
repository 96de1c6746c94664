"""localreg's drop-in for Podman, which allows plain HTTP for the registry: planned, then written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from localreg.clients.file_change import ChangedMeanwhileError, FileChange
from localreg.clients.podman import registries_conf as conf
from localreg.clients.podman.entries import list_marked, set_entries
from localreg.clients.podman.search import ETC, OLD, drop_in, list_files, user_folder
from localreg.errors import ConfigError, reason_of
from localreg.system.command_line import CommandLine, as_root

Scope = Literal["auto", "user", "system"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an entry of localreg does not count."""

    path: Path
    """The file or folder that is in its way."""
    what: str
    """Its effect, as a sentence without a subject."""
    cure: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A change of the drop-in."""

    name: str
    """The registry's."""
    path: Path
    before: str
    after: str
    """Empty if the file is to be removed."""
    added: tuple[str, ...]
    """Locations that get an entry, or already have one from localreg."""
    removed: tuple[str, ...]
    """Locations whose entry is removed."""
    provided: Mapping[str, Path]
    """Locations for which another file allows plain HTTP, and that file."""
    overridden: Mapping[str, Obstacle]
    """Locations, or repositories of one, that Podman still cannot use, and why."""
    replaced: tuple[str, ...]
    """Sentences about entries of other files that lose more than a refusal of plain HTTP."""

    @property
    def changes(self) -> bool:
        """Whether the plan changes the file."""
        return self.before != self.after

    @property
    def change(self) -> FileChange:
        """The change of the file."""
        return FileChange(self.path, self.before.encode() or None, self.after.encode() or None)

    def diff(self) -> str:
        """The change as a unified diff; empty without a change."""
        return self.change.diff()


def plan_fix(
    name: str,
    locations: Sequence[str],
    *,
    scope: Scope = "auto",
    environ: Mapping[str, str] | None = None,
    etc: Path = ETC,
    release: int = OLD,
    lenient: bool = False,
) -> Plan:
    """Plan the entries of one registry.

    Args:
        name: The registry's; its earlier entries are replaced.
        locations: `host:port`; an empty list removes the entries.
        scope: The user's or the system's configuration; `auto` means the system's for root, otherwise the user's.
        environ: The environment; by default the process's.
        etc: The system's configuration folder.
        release: The first number of Podman's version.
        lenient: Leave out files that localreg cannot read, because Podman can.

    Raises:
        ConfigError: Podman rejects a file that it reads, so that a new entry would not help.
    """
    environ = os.environ if environ is None else environ
    path = _path(scope, environ, etc, release)
    before = conf.read_text(path, missing="")
    conf.parse_entries(before, path, release=release)
    mark = conf.BYTE_ORDER_MARK if before.startswith(conf.BYTE_ORDER_MARK) else ""
    text = before.removeprefix(mark)
    # In Podman's order; without localreg's file if Podman will not read it.
    files = list_files(environ, release=release, etc=etc, planned=path)
    entries = {file: _read(file, release, lenient=lenient) for file in files if file != path}
    foreign = conf.parse_entries(set_entries(text, name, (), path), path)
    others = [entry for file in files for entry in entries.get(file, foreign)]
    provided = {place: entry.path for place in locations if (entry := conf.find_permitting(others, place))}
    missing = tuple(place for place in locations if place not in provided)
    after = set_entries(text, name, missing, path)
    ours = conf.parse_entries(after, path)
    everything = [entry for file in files for entry in entries.get(file, ours)]
    earlier = (entry.location for entry in list_marked(text, path) if entry.name == name)
    return Plan(
        name=name,
        path=path,
        before=before,
        after=after and mark + after,
        added=missing,
        removed=tuple(place for place in earlier if place not in missing),
        provided=provided,
        overridden=_overridden(everything, locations, None if path in files else _hider(path, files)),
        replaced=tuple(_list_replaced(others, everything, missing, path)),
    )


def _read(file: Path, release: int, *, lenient: bool) -> list[conf.Entry]:
    try:
        return conf.read_entries(file, release=release)
    except ConfigError:
        if lenient:
            return []
        raise


def _path(scope: Scope, environ: Mapping[str, str], etc: Path, release: int) -> Path:
    if scope == "system" or (scope == "auto" and os.geteuid() == 0):
        return drop_in(etc, is_system=True)
    folder = user_folder(environ, release=release)
    if folder is None:
        raise ConfigError("no home folder for Podman's configuration: HOME is not set", hint="set HOME")
    return drop_in(folder)


def _hider(path: Path, files: Sequence[Path]) -> Obstacle:
    """Why Podman does not read localreg's file.

    Args:
        path: localreg's file.
        files: All that Podman reads.
    """
    if path.parent.is_symlink():
        return Obstacle(path.parent, "is a link, so podman reads nothing in it", f"make {path.parent} a folder")
    # The user's main file, the file in a variable, or one of the same name.
    hider = next((file for file in files if file.name == path.name), files[0] if files else path)
    return Obstacle(hider, f"keeps podman from reading `{path}`", f"add the entries of {path} to {hider}")


def _overridden(entries: Sequence[conf.Entry], locations: Sequence[str], hider: Obstacle | None) -> dict[str, Obstacle]:
    """The locations, or repositories of one, that Podman cannot use in spite of localreg's entries.

    Args:
        entries: All that Podman reads, including localreg's.
        locations: `host:port`.
        hider: Why Podman does not read localreg's file, if it does not.
    """
    found: dict[str, Obstacle] = {}
    for location in locations:
        for entry in conf.list_refusals(entries, location):
            place = location if entry.covers(location) else entry.prefix
            what = f"still {entry.find_obstacle(place)}"
            found[place] = Obstacle(entry.path, what, f"change the entry in {entry.path}")
        if hider is not None and not conf.find_permitting(entries, location):
            found.setdefault(location, hider)
    return found


def _list_replaced(
    others: Sequence[conf.Entry], everything: Sequence[conf.Entry], added: Sequence[str], path: Path
) -> Iterator[str]:
    """Sentences about entries that localreg's replace, although they say more than that plain HTTP is forbidden.

    Args:
        others: The entries that others wrote.
        everything: The same, and localreg's.
        added: Locations that get an entry.
        path: localreg's file.
    """
    for place in added:
        before, after = conf.find_effective(others, place), conf.find_effective(everything, place)
        if before is None or after is None or after.path != path or before.path == path:
            continue
        obstacle = before.find_obstacle(place)
        if before.blocked or (before.insecure and obstacle):
            yield f"`{before.path}` {obstacle}; localreg's entry lifts that"
        elif before.has_mirrors:
            yield f"`{before.path}` names mirrors of {place}; localreg's entry leaves them out"


def apply_plan(plan: Plan) -> None:
    """Write the drop-in atomically, or remove it if nothing is left in it.

    Raises:
        ConfigError: it cannot be written, or has changed since the plan was made.
    """
    if not plan.changes:
        return
    try:
        plan.change.make()
    except ChangedMeanwhileError as exc:
        raise ConfigError(f"another program changed `{plan.path}`", hint=CommandLine(*_again(plan))) from exc
    except OSError as exc:
        raise ConfigError(f"cannot write `{plan.path}`: {reason_of(exc)}", hint=_cure(plan, exc)) from exc


def _cure(plan: Plan, error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM) and os.geteuid() != 0 and not plan.path.is_relative_to(Path.home()):
        return as_root(*_again(plan), "--scope", "system")
    return CommandLine(*_again(plan), "--dry-run")


def _again(plan: Plan) -> list[str]:
    """The arguments for the same change, independent of the engines that the other user can reach."""
    name = [] if plan.name == "registry" else ["--name", plan.name]
    wanted = [word for place in plan.added for word in ("--location", place)] or ["--remove"]
    return ["podman-fix", *name, *wanted]
