"""Which folder of registries containerd reads for a registry."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localreg.clients.port import Machine, Obstacle
from localreg.system.command_line import Sentence
from localreg.system.programs import output_of

_PROGRAM_SECONDS = 30.0
_DEFAULT = "/etc/containerd/certs.d"
_HAS_DEFAULT = (2, 2)
OLD = (1, 6)
"""The release by whose rules a file is read if no program says its own."""
ANY_REGISTRY = "_default"
_CRI = ("io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri", "cri")
"""The CRI's table of `plugins` in containerd 2, in 1, and in the first format of its configuration."""


@dataclass(frozen=True, slots=True)
class Search:
    """Where containerd searches, in its order."""

    roots: tuple[Path, ...]
    """Its folders of registries, the one with the higher precedence first."""
    release: tuple[int, ...] = OLD
    cri: Obstacle | None = None
    """Why its CRI, which a kubelet uses, reads none of them."""
    has_cri: bool = False
    is_down: bool = False
    """Whether the CRI does not start, for the reason that `cri` says."""

    def find_folder(self, location: str) -> Path | None:
        """The first folder that exists for a registry; the only one that counts, even if it is empty."""
        for root in self.roots:
            for name in (*names_of(location), ANY_REGISTRY):
                if (root / name).exists():
                    return root / name
        return None

    def list_folders(self) -> Iterator[Path]:
        """All folders of registries; a hidden one is not any registry's."""
        for root in self.roots:
            if root.is_dir():
                yield from (path for path in sorted(root.iterdir()) if path.is_dir() and path.name[0] != ".")


def names_of(location: str) -> tuple[str, str]:
    """The names of its folder, in the order of containerd.

    Args:
        location: `host:port`.
    """
    host, _, port = location.rpartition(":")
    return f"{host}_{port}_", location


def find_search(machine: Machine) -> Search:
    """Ask containerd for its configuration, or take the usual folder if it cannot say."""
    if (user := user_folder(machine)) is not None:
        return Search((user / "certs.d",), _ask_release(machine))
    default = machine.root / _DEFAULT.lstrip("/")
    release = _ask_release(machine)
    program = find_program(machine, "containerd")
    dumped = output_of(program, "config", "dump", seconds=_PROGRAM_SECONDS) if program else None
    if dumped is None:
        return Search((default,), release)
    try:
        config = tomllib.loads(dumped)
    except tomllib.TOMLDecodeError:
        return Search((default,), release)
    registry = _find_registry(config)
    if registry is None:
        return Search((default,), release)
    named = _paths(machine, str(registry.get("config_path") or ""))
    old = [word for word in ("mirrors", "configs") if registry.get(word)]
    if not named and not old and release >= _HAS_DEFAULT:
        named = (default, machine.root / "etc/docker/certs.d")
    if not _uses_cri(machine):
        return Search(named or (default,), release)
    obstacle = _find_obstacle(machine, registry, named, old)
    return Search(named or (default,), release, obstacle, has_cri=True, is_down=bool(named and obstacle))


def _uses_cri(machine: Machine) -> bool:
    """Whether anything here speaks to the CRI, which containerd offers by default."""
    is_node = (machine.root / "var/lib/kubelet").is_dir()
    return is_node or any(find_program(machine, name) for name in ("kubelet", "crictl"))


def _find_registry(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The registries of the CRI; None if it is disabled."""
    plugins: Mapping[str, Any] = config.get("plugins", {})
    found = next((name for name in _CRI if name in plugins), None)
    disabled: Sequence[str] = config.get("disabled_plugins", [])
    if found is None or not {found, *_CRI[1:]}.isdisjoint(disabled):
        return None
    registry: Mapping[str, Any] = plugins[found].get("registry", {})
    return registry


def _find_obstacle(
    machine: Machine, registry: Mapping[str, Any], named: Sequence[Path], old: Sequence[str]
) -> Obstacle | None:
    file = machine.etc / "containerd/config.toml"
    tables = " and ".join(f"[registry.{word}]" for word in old)
    if named and registry.get("mirrors"):
        return Obstacle(
            f"does not start its CRI, because `{file}` has both config_path and [registry.mirrors]",
            Sentence(f"move the entries of [registry.mirrors] in {file} to hosts.toml files, and restart containerd"),
        )
    if named:
        return None
    why = f"has {tables} instead of a config_path" if old else "sets no config_path"
    move = f"move {tables} to hosts.toml files, " if old else ""
    return Obstacle(
        f"reads no hosts.toml for its CRI, because `{file}` {why}",
        Sentence(f'{move}set config_path = "{_DEFAULT}" in the CRI\'s [registry] table, and restart containerd'),
    )


def _paths(machine: Machine, config_path: str) -> tuple[Path, ...]:
    return tuple(machine.root / path.lstrip("/") for path in config_path.split(os.pathsep) if path)


def find_program(machine: Machine, name: str) -> str | None:
    """The path of a program of containerd."""
    return shutil.which(name, path=machine.environ.get("PATH", ""))


def user_folder(machine: Machine) -> Path | None:
    """The folder of a containerd that runs without root, as this user; None if there is none."""
    runtime = machine.environ.get("XDG_RUNTIME_DIR")
    if os.geteuid() == 0 or machine.home is None or not runtime or not Path(runtime, "containerd-rootless").is_dir():
        return None
    config = machine.environ.get("XDG_CONFIG_HOME")
    return (Path(config) if config else machine.home / ".config") / "containerd"


def _ask_release(machine: Machine) -> tuple[int, ...]:
    program = find_program(machine, "containerd") or find_program(machine, "ctr")
    said = output_of(program, "--version", seconds=_PROGRAM_SECONDS) if program else None
    found = re.search(r"\bv?(\d+(?:\.\d+)+)", (said or "").partition(" ")[2])
    return tuple(map(int, found[1].split("."))) if found else OLD
