"""containerd: a `hosts.toml` for each location of the registry, where it needs one."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from localreg.clients.changes import make_changes
from localreg.clients.containerd.check import ask_containerd
from localreg.clients.containerd.hosts_toml import base_of, host_lines, read_hosts, server_lines
from localreg.clients.containerd.search import ANY_REGISTRY, Search, find_program, find_search, user_folder
from localreg.clients.file_change import FileChange, remove_spares
from localreg.clients.marked_block import (
    Block,
    add_block,
    ca_name,
    changes_of,
    list_blocks,
    read_text,
    remove_blocks,
)
from localreg.clients.port import Machine, Obstacle, Plan, Target
from localreg.errors import ConfigError, EngineUnavailableError
from localreg.system.address import Address
from localreg.system.command_line import Sentence

_FILE = "hosts.toml"


class Containerd:
    """The client."""

    name = "containerd"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def is_here(self) -> bool:
        """Whether it is used directly: the containerd that Docker brings needs nothing for Docker."""
        others = ("nerdctl", "crictl", "kubelet")
        certs = self._machine.etc / "containerd/certs.d"
        if user_folder(self._machine) is not None or (certs.is_dir() and any(certs.iterdir())):
            return True
        return any(find_program(self._machine, name) for name in others) or (
            self._is_installed and find_program(self._machine, "dockerd") is None
        )

    @property
    def _is_installed(self) -> bool:
        return any(find_program(self._machine, name) for name in ("containerd", "ctr"))

    def plan(self, target: Target) -> Plan:
        """Plan a file for each location that containerd cannot use by itself.

        Raises:
            EngineUnavailableError: containerd is not installed.
        """
        if target.locations and not self._is_installed and not self.is_here():
            raise EngineUnavailableError(
                "containerd is not installed on this machine",
                hint=Sentence("install containerd (https://containerd.io)"),
            )
        search = find_search(self._machine)
        wishes = [_Wish(search, target, location) for location in target.locations]
        here = [folder for folder in search.list_folders() if _is_ours(folder, target.name)]
        folders = dict.fromkeys([*(wish.folder for wish in wishes), *here])
        changes: list[FileChange] = []
        for folder in folders:
            mine = [wish for wish in wishes if wish.folder == folder]
            changes += _plan_folder(folder, target, mine)
        obstacles = [obstacle for wish in wishes for obstacle in wish.obstacles]
        if search.cri is not None and (search.is_down or any(wish.needs_file for wish in wishes)) and wishes:
            obstacles.append(search.cri)
        return Plan(
            self.name,
            target,
            changes=tuple(changes),
            files=tuple(dict.fromkeys(wish.folder / _FILE for wish in wishes if wish.needs_file)),
            provided={wish.location: wish.provided for wish in wishes if wish.provided},
            obstacles=tuple(dict.fromkeys(obstacles)),
        )

    def apply(self, plan: Plan) -> None:
        """Make the changes; containerd reads its files at each pull."""
        make_changes(plan)
        if plan.changes or not plan.target.locations:
            for root in find_search(self._machine).roots:
                with contextlib.suppress(PermissionError):
                    remove_spares(root, _is_spare)

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None] | None:
        """Ask its CRI by `crictl`, or else `ctr`, to resolve an image that the registry does not have."""
        del ca
        return ask_containerd(self._machine, find_search(self._machine), locations)


def _url(target: Target, location: str) -> str:
    return f"{'http' if target.ca is None else 'https'}://{location}"


class _Wish:
    """How one location is to be reached."""

    def __init__(self, search: Search, target: Target, location: str) -> None:
        self.location = location
        self.obstacles: list[Obstacle] = []
        found = search.find_folder(location)
        own = None if found is None or found.name == ANY_REGISTRY else found
        is_used = own is not None and (own.parent == search.roots[0] or (own / _FILE).exists())
        # A folder without the file in a later root is Docker's, which would read the file as well.
        self.folder = own if own is not None and is_used else search.roots[0] / location
        self.url = _url(target, location)
        self._target = target
        text = remove_blocks(read_text(self.folder / _FILE), target.name)
        self.hosts = read_hosts(text, self.folder / _FILE, release=search.release) if text.strip() else None
        self.provided = self._find_provided(is_default=found is not None and own is None and (found / _FILE).exists())

    @property
    def needs_file(self) -> bool:
        """Whether localreg has to write one."""
        return self.provided is None

    @property
    def block(self) -> Block:
        """The lines of localreg in its file."""
        ca = ca_name(self._target.name) if self._target.ca else None
        lines = host_lines if self.hosts is not None else server_lines
        return Block(self._target.name, self.location, lines(self.url, ca=ca))

    def _find_provided(self, *, is_default: bool) -> str | None:
        """Why nothing needs to be written.

        Args:
            is_default: Another file counts for all registries without one.
        """
        file = self.folder / _FILE
        if self.hosts is None:
            return "loopback" if self._is_free and not is_default else None
        if self.hosts.fault is not None:
            self.obstacles.append(Obstacle(f"`{file}` {self.hosts.fault}", Sentence(f"correct {file}")))
        places = [f"{self.url.partition('://')[0]}://{place}" for place in self._target.locations]
        for endpoint in self.hosts.endpoints:
            if endpoint.url not in places or not endpoint.takes_pushes:
                continue
            if self._target.ca is None or not endpoint.verifies or self._trusts(endpoint.ca):
                return str(file)
        if self._is_free and not self.hosts.has_server:
            return "loopback"
        if any(base_of(url) == self.url for url in self.hosts.values.get("host", {})):
            self.obstacles.append(_foreign_table(file, self.url, is_tls=self._target.ca is not None))
            return str(file)
        return None

    @property
    def _is_free(self) -> bool:
        """Whether containerd uses plain HTTP for it without being told."""
        host, _, port = self.location.rpartition(":")
        return self._target.ca is None and Address(host.strip("[]"), 0).is_loopback and port != "443"

    def _trusts(self, paths: Iterable[str]) -> bool:
        ca = (self._target.ca or "").strip()
        return any(ca in read_text(self.folder / path) for path in paths)


def _plan_folder(folder: Path, target: Target, wishes: Sequence[_Wish]) -> list[FileChange]:
    """The changes in one folder of registries.

    Args:
        folder: It may not exist.
        target: The registry.
        wishes: What it has to say; nothing that localreg wrote stays otherwise.
    """
    file = folder / _FILE
    needed = [wish for wish in wishes if wish.needs_file]
    text = _set_blocks(read_text(file), target.name, [wish.block for wish in needed], file)
    return changes_of(file, text, name=target.name, ca=target.ca if needed else None)


def _set_blocks(text: str, name: str, blocks: Sequence[Block], path: Path) -> str:
    """The text with exactly these blocks for a registry; unchanged if it has them.

    Raises:
        ConfigError: containerd would not read it as it is meant.
    """
    if [block for block in list_blocks(text, path) if block.name == name] == list(blocks):
        return text
    rest = after = remove_blocks(text, name)
    for block in blocks:
        after = add_block(after, block)
    reason = _find_fault(rest, after, blocks)
    if reason is not None:
        raise ConfigError(
            f"cannot add the registry to `{path}`",
            hint=Sentence(f"add these lines to {path}"),
            details=[reason, *(line for block in blocks for line in block.body.splitlines())],
        )
    return after


def _find_fault(rest: str, after: str, blocks: Sequence[Block]) -> str | None:
    """Why the text with the blocks is not what was meant; None if it is."""
    try:
        wanted, found = tomllib.loads(rest), tomllib.loads(after)
    except tomllib.TOMLDecodeError as exc:
        return str(exc)
    for block in blocks:
        for key, value in tomllib.loads(block.body).items():
            if key == "host":
                wanted.setdefault("host", {}).update(value)
            else:
                wanted[key] = value
    return None if found == wanted else "the lines cannot be added to what is there"


def _is_ours(folder: Path, name: str) -> bool:
    """Whether localreg wrote something there for a registry."""
    file = folder / _FILE
    if (folder / ca_name(name)).exists():
        return True
    try:
        text = file.read_bytes().decode(errors="replace")
    except OSError:
        return False
    return f"# localreg trust: {name}," in text


def _is_spare(path: Path) -> bool:
    """Whether localreg wrote a file of a folder that was never in its place, or is not any longer."""
    is_hosts = path.name == _FILE and "# localreg trust: " in path.read_bytes().decode(errors="replace")
    return is_hosts or path.name.removeprefix(".").startswith("localreg-ca-") or path.name == f".{_FILE}.new"


def _foreign_table(file: Path, url: str, *, is_tls: bool) -> Obstacle:
    why = "trusts another CA" if is_tls else "takes no pushes"
    cure = "add the registry's CA to its `ca`" if is_tls else "remove its `capabilities`"
    return Obstacle(f'`{file}` has a [host."{url}"] that {why}', Sentence(f"{cure} in {file}"))
