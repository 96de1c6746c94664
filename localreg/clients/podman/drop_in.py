"""localreg's drop-in for Podman, which allows plain HTTP for the registry: planned, then written."""

from __future__ import annotations

import contextlib
import difflib
import errno
import fcntl
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from localreg.clients.podman import registries_conf as conf
from localreg.clients.podman.entries import list_marked, set_entries
from localreg.clients.podman.search import ETC, OLD, drop_in, list_files, user_folder
from localreg.errors import ConfigError, reason_of
from localreg.system.command_line import CommandLine

Scope = Literal["auto", "user", "system"]


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
    overridden: Mapping[str, Path]
    """Locations, or repositories of one, for which another file still forbids plain HTTP, and that file."""
    unblocked: Mapping[str, Path]
    """Locations that another file blocks until localreg's entry is in force, and that file."""

    @property
    def changes(self) -> bool:
        """Whether the plan changes the file."""
        return self.before != self.after

    def diff(self) -> str:
        """The change as a unified diff; empty without a change."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            str(self.path) if self.before else "/dev/null",
            str(self.path) if self.after else "/dev/null",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


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
    overridden = _overridden(everything, locations, hidden_by=None if path in files else files[0])
    blocked = {
        place: entry.path for place in missing if (entry := conf.find_effective(others, place)) and entry.blocked
    }
    earlier = (entry.location for entry in list_marked(text, path) if entry.name == name)
    return Plan(
        name=name,
        path=path,
        before=before,
        after=after and mark + after,
        added=missing,
        removed=tuple(place for place in earlier if place not in missing),
        provided=provided,
        overridden=overridden,
        unblocked={place: file for place, file in blocked.items() if place not in overridden},
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


def _overridden(entries: Sequence[conf.Entry], locations: Sequence[str], *, hidden_by: Path | None) -> dict[str, Path]:
    """The locations for which plain HTTP is forbidden in spite of localreg's entries, and by which file.

    Args:
        entries: All that Podman reads, including localreg's.
        locations: `host:port`.
        hidden_by: The user's main file, if Podman does not read localreg's file because of it.
    """
    found: dict[str, Path] = {}
    for location in locations:
        refusals = conf.list_refusals(entries, location)
        found |= {location if entry.covers(location) else entry.prefix: entry.path for entry in refusals}
        if hidden_by is not None and not conf.find_permitting(entries, location):
            found.setdefault(location, hidden_by)
    return found


def apply_plan(plan: Plan) -> None:
    """Write the drop-in atomically, or remove it if nothing is left in it.

    Raises:
        ConfigError: it cannot be written, or has changed since the plan was made.
    """
    if not plan.changes:
        return
    target = plan.path.resolve()
    try:
        _make_folder(plan.path.parent)
        _make_folder(target.parent)
        with _locked(target.parent):
            if conf.read_text(target, missing="") != plan.before:
                raise ConfigError(f"another program changed `{plan.path}`", hint=CommandLine(*_again(plan)))
            if plan.after or plan.path.is_symlink():
                _replace(target, plan.after)
            else:
                target.unlink()
    except OSError as exc:
        raise ConfigError(f"cannot write `{plan.path}`: {reason_of(exc)}", hint=_cure(plan, exc)) from exc


def _cure(plan: Plan, error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM) and os.geteuid() != 0 and not plan.path.is_relative_to(Path.home()):
        # With its full path, because root's PATH may not include localreg.
        return f'sudo "$(command -v localreg)" {shlex.join(_again(plan))} --scope system'
    return CommandLine(*_again(plan), "--dry-run")


def _again(plan: Plan) -> list[str]:
    """The arguments for the same change, independent of the engines that the other user can reach."""
    name = [] if plan.name == "registry" else ["--name", plan.name]
    wanted = [word for place in plan.added for word in ("--location", place)] or ["--remove"]
    return ["podman-fix", *name, *wanted]


def _make_folder(folder: Path) -> None:
    """Create a folder and its parents, readable by all users, whatever the umask is."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    # With the umask instead of a later chmod, because a kill between the two would leave the wrong mode.
    before = os.umask(0o022)
    try:
        folder.mkdir(exist_ok=True)
    finally:
        os.umask(before)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock out other localreg processes that write."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(target: Path, text: str) -> None:
    """Replace the file by the text; Podman never sees half of it, because it reads only `*.conf`."""
    existing = target.stat() if target.exists() else None
    # A fixed name, so that the next run removes the file that a killed one left. The lock protects it.
    new = target.with_name(f".{target.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            if existing is not None:
                # Only root can change the owner; for other users the file is their own.
                with contextlib.suppress(PermissionError):
                    os.fchown(descriptor, existing.st_uid, existing.st_gid)
            os.fchmod(descriptor, existing.st_mode & 0o777 if existing else 0o644)
            os.fsync(descriptor)
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
