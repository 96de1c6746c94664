"""BuildKit: entries in `buildkitd.toml`, and a builder of localreg's own for `docker buildx`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from localreg.clients.buildkit.builders import has_buildx, list_builders
from localreg.clients.buildkit.buildkitd_toml import FILE, find_obstacle, list_entries, plan_file, read_registries
from localreg.clients.buildkit.check import ask_buildkit
from localreg.clients.buildkit.own_builder import OwnBuilder
from localreg.clients.changes import make_changes
from localreg.clients.marked_block import read_text, remove_blocks
from localreg.clients.port import Machine, Plan, Target
from localreg.errors import EngineUnavailableError
from localreg.system.command_line import Sentence


class BuildKit:
    """The client."""

    name = "buildkit"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._builder = OwnBuilder(machine)

    def is_here(self) -> bool:
        """Whether the machine has `buildkitd`, or a builder that is a container."""
        return self._has_daemon or bool(list_builders(self._machine))

    def plan(self, target: Target) -> Plan:
        """Plan entries for `buildkitd` if it needs them, and a builder if there is `docker buildx`.

        Raises:
            EngineUnavailableError: the machine has neither.
        """
        buildx = bool(target.locations) and has_buildx(self._machine)
        if target.locations and not self._has_daemon and not buildx:
            raise EngineUnavailableError(
                "this machine has neither buildkitd nor docker buildx",
                hint=Sentence("install docker buildx (https://docs.docker.com/go/buildx/)"),
            )
        daemon = self._plan_daemon(target)
        builder = self._builder.plan(target) if buildx or not target.locations else Plan(self.name, target)
        return Plan(
            self.name,
            target,
            changes=(*daemon.changes, *builder.changes),
            files=(*daemon.files, *builder.files),
            provided=daemon.provided,
            obstacles=(*daemon.obstacles, *builder.obstacles),
            notes=(*daemon.notes, *builder.notes),
            cures=(*daemon.cures, *builder.cures),
        )

    def apply(self, plan: Plan) -> None:
        """Make the changes, and make or renew localreg's builder; a running `buildkitd` is not restarted."""
        with self._builder.kept_up(plan):
            make_changes(plan)

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None] | None:
        """Have each BuildKit that runs build from an image that the registry does not have."""
        del ca
        return ask_buildkit(self._machine, locations)

    def _plan_daemon(self, target: Target) -> Plan:
        """The part of the plan for `buildkitd`."""
        file = self._folder / FILE
        entries = list_entries(file, target) if self._has_daemon else []
        tables = read_registries(remove_blocks(read_text(file), target.name), file) if entries else {}
        wanted = [entry for entry in entries if not entry.is_met(tables.get(entry.location))]
        obstacles = {entry: find_obstacle(entry, tables.get(entry.location, {}), file) for entry in wanted}
        possible = [entry for entry in wanted if obstacles[entry] is None]
        changes = plan_file(file, target, possible)
        return Plan(
            self.name,
            target,
            changes=tuple(changes),
            files=(file,) if possible else (),
            provided={
                entry.location: str(file) if entry.location in tables else "loopback"
                for entry in entries
                if entry not in wanted
            },
            obstacles=tuple(obstacle for obstacle in obstacles.values() if obstacle),
            notes=("buildkitd reads its configuration only when it starts",) if changes else (),
            cures=(self._restart,) if changes else (),
        )

    @property
    def _has_daemon(self) -> bool:
        path = self._machine.environ.get("PATH", os.defpath)
        return shutil.which("buildkitd", path=path) is not None or self._folder.is_dir()

    @property
    def _folder(self) -> Path:
        """The folder of the configuration that the `buildkitd` of this user reads."""
        return self._user_folder or self._machine.etc / "buildkit"

    @property
    def _restart(self) -> str:
        return f"{'systemctl --user' if self._user_folder else 'sudo systemctl'} restart buildkit"

    @property
    def _user_folder(self) -> Path | None:
        """The folder of a `buildkitd` that runs without root, as this user; None if there is none."""
        home, environ = self._machine.home, self._machine.environ
        config, runtime = environ.get("XDG_CONFIG_HOME"), environ.get("XDG_RUNTIME_DIR")
        base = Path(config) if config else home / ".config" if home is not None else None
        if os.geteuid() == 0 or base is None:
            return None
        is_there = (base / "buildkit").is_dir() or (runtime is not None and Path(runtime, "buildkit").is_dir())
        return base / "buildkit" if is_there else None
