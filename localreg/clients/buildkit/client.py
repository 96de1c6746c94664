"""BuildKit: entries in `buildkitd.toml`, and a builder of localreg's own for `docker buildx`."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from localreg.clients.buildkit.builders import (
    NAME,
    Builder,
    create_builder,
    create_words,
    has_buildx,
    list_builders,
    registries_of,
    remove_builder,
)
from localreg.clients.buildkit.buildkitd_toml import Entry, find_obstacle, read_registries, set_entries
from localreg.clients.buildkit.check import ask_buildkit
from localreg.clients.changes import make_changes
from localreg.clients.file_change import FileChange
from localreg.clients.marked_block import ca_name, changes_of, read_text, remove_blocks
from localreg.clients.port import Machine, Obstacle, Plan, Target
from localreg.errors import EngineUnavailableError
from localreg.system.address import Address
from localreg.system.command_line import Sentence

_FILE = "buildkitd.toml"


class BuildKit:
    """The client."""

    name = "buildkit"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def is_here(self) -> bool:
        """Whether the machine has `buildkitd`, or a builder that is a container."""
        return self._has_daemon or bool(list_builders(self._machine))

    def plan(self, target: Target) -> Plan:
        """Plan entries for `buildkitd` if it needs them, and a builder if there is `docker buildx`.

        Raises:
            EngineUnavailableError: the machine has neither.
        """
        if target.locations and not self._has_daemon and not has_buildx(self._machine):
            raise EngineUnavailableError(
                "this machine has neither buildkitd nor docker buildx",
                hint=Sentence("install docker buildx (https://docs.docker.com/go/buildx/)"),
            )
        file = self._daemon_folder / _FILE
        tables = read_registries(remove_blocks(read_text(file), target.name), file)
        entries = [_entry(file.parent, target, place) for place in target.locations]
        wanted = (
            [entry for entry in entries if not entry.is_met(tables.get(entry.location))] if self._has_daemon else []
        )
        obstacles = {entry: find_obstacle(entry, tables.get(entry.location, {}), file) for entry in wanted}
        possible = [entry for entry in wanted if obstacles[entry] is None]
        daemon = _plan_files(file, target, possible)
        builder, is_made, hindered = self._plan_builder(target)
        restart = "systemctl --user restart buildkit" if self._is_rootless else "sudo systemctl restart buildkit"
        return Plan(
            self.name,
            target,
            changes=(*daemon, *builder),
            files=(*([file] if possible else []), *([self._builder_file] if is_made else [])),
            provided={
                entry.location: str(file) if entry.location in tables else "loopback"
                for entry in entries
                if self._has_daemon and entry not in wanted
            },
            obstacles=(*(obstacle for obstacle in obstacles.values() if obstacle), *hindered),
            notes=("buildkitd reads its configuration only when it starts",) if daemon else (),
            cures=(*([restart] if daemon else []), *([f"docker buildx use {NAME}"] if builder and is_made else [])),
        )

    def apply(self, plan: Plan) -> None:
        """Make the changes, and make or renew localreg's builder; a running `buildkitd` is not restarted."""
        has_builder = any(builder.name == NAME for builder in list_builders(self._machine))
        if any(change.path == self._builder_file and change.after is None for change in plan.changes) and has_builder:
            remove_builder(self._machine, keep_cache=False)
        make_changes(plan)
        if self._builder_file.exists() and self._is_stale(self._find_builder()):
            if self._find_builder() is not None:
                remove_builder(self._machine, keep_cache=True)
            create_builder(self._machine, self._builder_file)

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None] | None:
        """Have each BuildKit that runs build from an image that the registry does not have."""
        del ca
        return ask_buildkit(self._machine, locations)

    @property
    def _has_daemon(self) -> bool:
        path = self._machine.environ.get("PATH", os.defpath)
        return shutil.which("buildkitd", path=path) is not None or self._daemon_folder.is_dir()

    @property
    def _is_rootless(self) -> bool:
        """Whether the `buildkitd` of this user runs without root."""
        runtime = self._machine.environ.get("XDG_RUNTIME_DIR")
        started = runtime is not None and Path(runtime, "buildkit").is_dir()
        return os.geteuid() != 0 and self._user_folder is not None and (started or self._user_folder.is_dir())

    @property
    def _user_folder(self) -> Path | None:
        home, config = self._machine.home, self._machine.environ.get("XDG_CONFIG_HOME")
        base = Path(config) if config else home / ".config" if home is not None else None
        return None if base is None else base / "buildkit"

    @property
    def _daemon_folder(self) -> Path:
        user = self._user_folder
        return user if user is not None and self._is_rootless else self._machine.etc / "buildkit"

    @property
    def _builder_file(self) -> Path:
        """The configuration that localreg's builder is made with; it exists as long as the builder."""
        data = self._machine.environ.get("XDG_DATA_HOME")
        base = Path(data) if data else (self._machine.home or self._machine.root / "root") / ".local/share"
        return base / "localreg/buildkit" / _FILE

    def _find_builder(self) -> Builder | None:
        return next((builder for builder in list_builders(self._machine) if builder.name == NAME), None)

    def _is_stale(self, builder: Builder | None) -> bool:
        """Whether localreg's builder must be made, or made again."""
        wanted = registries_of(read_text(self._builder_file))
        return builder is None or not builder.on_host or builder.registries != wanted

    def _plan_builder(self, target: Target) -> tuple[Sequence[FileChange], bool, tuple[Obstacle, ...]]:
        """The files of localreg's builder, whether there is one afterwards, and the builders that stay as they are."""
        file = self._builder_file
        if target.locations and not has_buildx(self._machine):
            return (), False, ()
        if self._find_builder() is not None and not file.exists():
            other = shlex.join(create_words(None, name="NAME"))
            cure = Sentence(f"remove it with `docker buildx rm {NAME}`, or make another: {other}")
            found = Obstacle(f"has a builder `{NAME}` that localreg did not make", cure)
            return (), False, (found,) if target.locations else ()
        changes = _plan_files(file, target, [_entry(file.parent, target, place) for place in target.locations])
        others = [builder for builder in list_builders(self._machine) if builder.name != NAME and not builder.on_host]
        hindered = tuple(
            Obstacle(
                f"has the builder `{builder.name}`, a container with a localhost of its own",
                f"docker buildx use {NAME}",
            )
            for builder in others
            if any(map(_is_loopback, target.locations))
        )
        return changes, bool(target.locations), hindered


def _is_loopback(location: str) -> bool:
    return Address(location.rpartition(":")[0].strip("[]"), 0).is_loopback


def _entry(folder: Path, target: Target, location: str) -> Entry:
    if target.ca is None:
        return Entry(location)
    return Entry(location, folder / ca_name(target.name), target.ca)


def _plan_files(file: Path, target: Target, entries: Sequence[Entry]) -> list[FileChange]:
    """The changes of a `buildkitd.toml` and of the CA beside it."""
    text = set_entries(read_text(file), target.name, entries, file)
    return changes_of(file, text, name=target.name, ca=target.ca if entries else None)
