"""The `podman` program: letting it use plain HTTP for the registry, and asking it whether it does."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from localreg.clients import registries_conf as conf
from localreg.errors import ConfigError

Scope = Literal["auto", "user", "system"]

_PROGRAM_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to become of our drop-in."""

    path: Path
    before: str
    after: str
    """Empty when the file goes."""
    added: tuple[str, ...]
    """Locations that get an entry, or have ours already."""
    removed: tuple[str, ...]
    """Locations whose entry goes."""
    provided: Mapping[str, Path]
    """Locations that another file allows plain HTTP for, and the file."""
    overridden: Mapping[str, Path]
    """Locations whose entry another file overrules, and the file."""

    @property
    def changes(self) -> bool:
        """There is something to write."""
        return self.before != self.after

    def diff(self) -> str:
        """The change as a unified diff; empty when there is none."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            str(self.path) if self.before else "/dev/null",
            str(self.path) if self.after else "/dev/null",
        )
        return "".join(lines)


def plan_fix(
    name: str,
    locations: Sequence[str],
    *,
    scope: Scope = "auto",
    environ: Mapping[str, str] | None = None,
    etc: Path = conf.ETC,
) -> Plan:
    """Plan the entries of one registry.

    Args:
        name: The registry's; its earlier entries go.
        locations: `host:port`; none removes the entries.
        scope: Whose configuration; `auto` is the system's for root, else the user's.
        environ: The environment; the process's own by default.
        etc: The system's configuration.

    Raises:
        ConfigError: a file that Podman reads is not valid; nothing may be added beside it.
    """
    environ = os.environ if environ is None else environ
    path = conf.drop_in(_folder(scope, environ, etc))
    before = conf.read_text(path)
    others = [
        entry
        for file in conf.list_files(environ, etc=etc)
        if file != path
        for entry in conf.parse_entries(conf.read_text(file), file)
    ]
    conf.parse_entries(before, path)
    rest = conf.remove_entries(before, name, path)
    everything = [*others, *conf.parse_entries(rest, path)]
    effective = {location: conf.find_effective(everything, location) for location in locations}
    provided = {location: entry.path for location, entry in effective.items() if entry and entry.insecure}
    missing = tuple(location for location in locations if location not in provided)
    after = conf.add_entries(rest, name, missing) if missing else rest
    return Plan(
        path=path,
        before=before,
        after=after,
        added=missing,
        removed=tuple(location for location in conf.locations_of(before, name) if location not in missing),
        provided=provided,
        overridden=_overridden(path, after, missing, environ, etc),
    )


def _folder(scope: Scope, environ: Mapping[str, str], etc: Path) -> Path:
    if scope == "system" or (scope == "auto" and os.geteuid() == 0):
        return etc
    if not environ.get("HOME"):
        raise ConfigError("there is no home folder to write Podman's configuration to", hint="set HOME")
    return conf.user_folder(Path(environ["HOME"]))


def _overridden(
    path: Path, after: str, locations: Sequence[str], environ: Mapping[str, str], etc: Path
) -> dict[str, Path]:
    """Which of our entries will not count, and because of which file."""
    files = sorted({*conf.list_files(environ, etc=etc), path}, key=lambda file: _rank(file, etc))
    entries = [
        entry for file in files for entry in conf.parse_entries(after if file == path else conf.read_text(file), file)
    ]
    effective = {location: conf.find_effective(entries, location) for location in locations}
    return {location: entry.path for location, entry in effective.items() if entry and not entry.insecure}


def _rank(file: Path, etc: Path) -> tuple[int, str]:
    """Where a file comes in Podman's order: the main file, the system's drop-ins, the user's."""
    if file.parent.name != "registries.conf.d":
        return (0, "")
    return (1 if file.parent.parent == etc else 2, file.name)


def apply_plan(plan: Plan) -> None:
    """Write the drop-in whole or not at all; remove it when nothing is left in it.

    Raises:
        ConfigError: it cannot be written.
    """
    if not plan.changes:
        return
    target = plan.path.resolve()
    try:
        if not plan.after:
            plan.path.unlink(missing_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, plan.after)
    except OSError as exc:
        system = conf.ETC in plan.path.parents
        raise ConfigError(
            f"cannot write `{plan.path}`: {(exc.strerror or str(exc)).lower()}",
            hint="sudo localreg podman-fix --scope system" if system else "localreg podman-fix --dry-run",
        ) from exc


def _replace(target: Path, text: str) -> None:
    """Put the text in the file's place; Podman never sees half of it, since it reads only `*.conf`."""
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise


def find_permission(location: str, *, environ: Mapping[str, str] | None = None, etc: Path = conf.ETC) -> Path | None:
    """The file that lets the `podman` program use plain HTTP for a registry; None when it may not.

    Args:
        location: `host:port`.
        environ: The environment; the process's own by default.
        etc: The system's configuration.

    Raises:
        ConfigError: a file that Podman reads is not valid.
    """
    environ = os.environ if environ is None else environ
    entries = [
        entry for file in conf.list_files(environ, etc=etc) for entry in conf.parse_entries(conf.read_text(file), file)
    ]
    entry = conf.find_effective(entries, location)
    return entry.path if entry and entry.insecure else None


def ask_podman(locations: Sequence[str]) -> Mapping[str, bool] | None:
    """Whether the `podman` program uses plain HTTP for each location; None when it cannot be asked.

    The program reads its configuration anew each time; a service that runs answers with that of its start.
    """
    program = shutil.which("podman")
    if program is None:
        return None
    try:
        asked = subprocess.run(  # noqa: S603 -- the program that PATH names, with fixed arguments
            [program, "info", "--format", "json"],
            capture_output=True,
            check=True,
            timeout=_PROGRAM_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        registries: dict[str, Any] = json.loads(asked.stdout).get("registries") or {}
    except (OSError, subprocess.SubprocessError, ValueError, AttributeError):
        return None
    entries = [
        conf.Entry(str(entry.get("Prefix") or prefix), bool(entry.get("Insecure")), Path())
        for prefix, entry in registries.items()
        if isinstance(entry, dict)
    ]
    effective = {location: conf.find_effective(entries, location) for location in locations}
    return {location: entry is not None and entry.insecure for location, entry in effective.items()}


def fix_machine(text: str) -> None:
    """Put the drop-in into the Podman machine too: there the service looks for it, not here.

    Args:
        text: What the file is to say; empty removes it.

    Raises:
        ConfigError: the machine does not take it.
    """
    path = conf.drop_in(conf.ETC)
    script = f"cat >{path}.new && mv {path}.new {path}" if text else f"rm -f {path}"
    try:
        subprocess.run(  # noqa: S603 -- a fixed command
            ["podman", "machine", "ssh", f"sudo sh -c 'mkdir -p {path.parent} && {script}'"],  # noqa: S607
            input=text.encode(),
            capture_output=True,
            check=True,
            timeout=_PROGRAM_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise ConfigError(
            f"cannot write `{path}` in the Podman machine", hint="podman machine start", details=[str(exc)]
        ) from exc
