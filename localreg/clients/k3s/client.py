"""K3s: entries in its `registries.yaml`, which it reads when it starts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from localreg.clients.answers import NOT_THERE, SilentRegistryError, find_refusal
from localreg.clients.changes import make_changes
from localreg.clients.k3s.registries_yaml import Wanted, read_values, set_values, wanted_for, without_registry
from localreg.clients.marked_block import ca_name, changes_of, read_text
from localreg.clients.port import Machine, Obstacle, Plan, Target
from localreg.errors import EngineUnavailableError
from localreg.system.address import is_loopback
from localreg.system.command_line import Sentence
from localreg.system.programs import ProgramError, run

_PROGRAM_SECONDS = 60.0
_SOCKET = "run/k3s/containerd/containerd.sock"
_EVERY_REGISTRY = "*"


class K3s:
    """The client."""

    name = "k3s"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def is_here(self) -> bool:
        """Whether the machine has the program or its configuration."""
        return self._program is not None or self._file.parent.is_dir()

    def plan(self, target: Target) -> Plan:
        """Plan entries for the locations that K3s cannot use by itself.

        Raises:
            EngineUnavailableError: K3s is not installed.
        """
        if target.locations and not self.is_here():
            raise EngineUnavailableError(
                "K3s is not installed on this machine",
                hint=Sentence("install K3s (https://k3s.io); for a k3d cluster use localreg connect k3d"),
            )
        text = read_text(self._file)
        values = read_values(without_registry(text, target.name), self._file) if target.locations else {}
        ca_file = self._file.with_name(ca_name(target.name)) if target.ca is not None else None
        wanted: list[tuple[str, Wanted]] = []
        provided: dict[str, str] = {}
        obstacles: list[Obstacle] = []
        for location in target.locations:
            if ca_file is None and _is_free(location, values):
                provided[location] = "loopback"
                continue
            missing = [value for value in wanted_for(location, ca_file) if not _has(values, value, target.ca)]
            taken = [value for value in missing if _find(values, value.keys) is not None]
            obstacles += [_taken(self._file, value) for value in taken]
            wanted += [(location, value) for value in missing if value not in taken]
            if not missing:
                provided[location] = str(self._file)
        after = set_values(text, target.name, wanted, self._file)
        names_ca = any("tls" in value.keys for _, value in wanted)
        changes = changes_of(self._file, after, name=target.name, ca=target.ca if names_ca else None)
        return Plan(
            self.name,
            target,
            changes=tuple(changes),
            files=(self._file,) if wanted else (),
            provided=provided,
            obstacles=tuple(obstacles),
            notes=("K3s reads its registries only when it starts",) if changes else (),
            cures=(f"sudo systemctl restart {self._service}",) if changes else (),
        )

    def apply(self, plan: Plan) -> None:
        """Make the changes; K3s is not restarted, because that interrupts its cluster."""
        make_changes(plan)

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None] | None:
        """Have its running containerd pull an image that the registry does not have."""
        del ca
        if self._program is None or not os.access(self._machine.root / _SOCKET, os.W_OK):
            return None
        found: dict[str, str | None] = {}
        try:
            for location in locations:
                words = (self._program, "crictl", "pull", f"{location}/{NOT_THERE}")
                ended = run(*words, seconds=_PROGRAM_SECONDS, environ=self._machine.environ)
                refusal = find_refusal(ended.err + ended.out)
                found[location] = refusal and f"cannot use {location}: {refusal}"
        except (ProgramError, SilentRegistryError):
            return None
        return found

    @property
    def _program(self) -> str | None:
        return shutil.which("k3s", path=self._machine.environ.get("PATH", os.defpath))

    @property
    def _file(self) -> Path:
        return self._machine.etc / "rancher/k3s/registries.yaml"

    @property
    def _service(self) -> str:
        """The name of its service on this machine."""
        units = self._machine.etc / "systemd/system"
        is_agent = (units / "k3s-agent.service").exists() and not (units / "k3s.service").exists()
        return "k3s-agent" if is_agent else "k3s"


def _is_free(location: str, values: Mapping[str, Any]) -> bool:
    """Whether K3s uses plain HTTP for it without being told."""
    mirrors = values.get("mirrors") or {}
    is_told = location in mirrors or _EVERY_REGISTRY in mirrors or _find(values, ("configs", location, "tls"))
    return not is_told and is_loopback(location) and not location.endswith(":443")


def _has(values: Mapping[str, Any], wanted: Wanted, ca: str | None) -> bool:
    """Whether a value of others does the same."""
    found = _find(values, wanted.keys)
    if not isinstance(found, dict):
        return False
    if "endpoint" in wanted.value:
        given = [str(url).rstrip("/") for url in found.get("endpoint") or ()]
        return wanted.value["endpoint"][0] in given
    if found.get("insecure_skip_verify") is True:
        return True
    file = found.get("ca_file")
    return bool(file) and (ca or "").strip() in read_text(Path(str(file)))


def _find(values: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _taken(file: Path, wanted: Wanted) -> Obstacle:
    where = ".".join(wanted.keys)
    [(key, value)] = wanted.value.items()
    value = value[0] if isinstance(value, list) else value
    return Obstacle(f"`{file}` has its own `{where}`", Sentence(f"add {value} to its `{key}`"))
