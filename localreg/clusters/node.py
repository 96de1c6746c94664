"""A node of a cluster: the `hosts.toml` in it, and what its containerd says of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from localreg.clients.answers import NOT_THERE, SilentRegistryError, find_refusal
from localreg.clients.containerd.hosts_toml import server_lines
from localreg.clusters.port import ClusterKind, hosts_folder_in, mirrors_in, read_configuration
from localreg.engines.port import ContainerRuntime
from localreg.engines.values import Container
from localreg.errors import EngineError, EngineLostError
from localreg.system.waiting import wait_until

_FILE, _CA = "hosts.toml", "localreg.crt"
_ANSWER_SECONDS = 60.0
"""Podman 4.3's bridge takes another MAC address when a container joins or leaves it. The other containers send to the
former one, and no name is found, until the kernel asks anew: in base_reachable_time, up to 45 seconds; see arp(7)."""

_WRITE = f"""
set -e
mkdir -p "$1"
cd "$1"
if [ -n "$3" ]; then printf %s "$3" >.localreg.new; mv .localreg.new {_CA}; fi
printf %s "$2" >.localreg.new
mv .localreg.new {_FILE}
if [ -z "$3" ]; then rm -f {_CA}; fi
"""
"""The arguments: the folder, the text of the file, and the certificate of its CA or nothing. The file never names a
certificate that is not there."""
_REMOVE = f'cd "$1" && rm -f {_FILE} && rm -f {_CA} .localreg.new && cd .. && rmdir "$1" 2>/dev/null || true'
_LIST = f'grep -l -F -e "$2" "$1"/*/{_FILE} 2>/dev/null || true'
_LIST_USERS = f"""grep -l -F -e "//$2/" -e "//$2\\"" -e "//$2'" "$1"/*/{_FILE} 2>/dev/null || true"""
"""The arguments: the folder, and the registry's `HOST:PORT` in a network."""
_RESOLVE = """
if command -v crictl >/dev/null; then echo crictl; crictl pull "$1"
elif command -v ctr >/dev/null; then echo ctr; ctr content fetch-object --hosts-dir "$2" "$1"
fi 2>&1 || true
"""
_REACH = """
if command -v curl >/dev/null; then curl -sfk -m 2 -o /dev/null "$1"
elif command -v wget >/dev/null; then wget -q -T 2 -O /dev/null "$1"
fi
"""
"""No certificate is checked: only whether something answers. Busybox's wget does not check one either."""


class Written(StrEnum):
    """What was done about the file in a node."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    FOREIGN = "foreign"
    """Another file for the same address is there, which localreg left alone."""


@dataclass(frozen=True, slots=True)
class Source:
    """The registry, as a node is told of it."""

    name: str
    """The registry's name, to which the files belong."""
    location: str
    """The `HOST:PORT` that begins a reference to it."""
    url: str
    """Where the node reaches it."""
    ca: str | None = None
    """The certificate of its CA as PEM; None for a registry that speaks plain HTTP."""


class Node:
    """A running node.

    Attributes:
        name: The name of its container.
    """

    def __init__(self, engine: ContainerRuntime, kind: ClusterKind, container: Container) -> None:
        self.name = container.name
        self._engine = engine
        self._id = container.id
        self._kind = kind
        self._configuration = read_configuration(kind, self.ask)

    @property
    def _folder(self) -> str:
        """The folder of containerd's registries."""
        return hosts_folder_in(self._configuration or "") or self._kind.hosts_folder

    def ask(self, *command: str) -> str:
        """Run a program in it.

        Raises:
            EngineError: it failed.
        """
        return b"".join(self._engine.run_in_container(self._id, command)).decode(errors="replace")

    def shell(self, script: str, *arguments: str) -> str:
        """Run a script in it.

        Raises:
            EngineError: it failed.
        """
        return self.ask("sh", "-c", script, "sh", *arguments)

    def path_of(self, source: Source) -> str:
        """The file about a registry."""
        return f"{self._folder}/{source.location}/{_FILE}"

    def write(self, source: Source) -> Written:
        """Write the file about a registry, and remove those about an address that it no longer has."""
        path = self.path_of(source)
        for location in self.list_locations(source.name):
            if location != source.location:
                self._remove(location)
        here = self._engine.read_file(self._id, path)
        if here and not here.startswith(_mark(source.name).encode()):
            return Written.FOREIGN
        folder = path.removesuffix(f"/{_FILE}")
        ca_path = f"{folder}/{_CA}"
        text = f"{_mark(source.name)}\n{server_lines(source.url, ca=ca_path if source.ca else None)}"
        there = self._engine.read_file(self._id, ca_path)
        if here == text.encode() and there == (source.ca.encode() if source.ca else None):
            return Written.UNCHANGED
        self.shell(_WRITE, folder, text, source.ca or "")
        return Written.WRITTEN

    def list_locations(self, name: str) -> list[str]:
        """The addresses about which it has a file that localreg wrote for the registry of this name."""
        return [path.split("/")[-2] for path in self.shell(_LIST, self._folder, _mark(name)).splitlines()]

    def uses(self, in_network: str) -> bool:
        """Whether a file, of localreg or of others, leads to a registry by its `HOST:PORT` in a network."""
        if any(f"//{in_network}{end}" in (self._configuration or "") for end in "/\"'"):
            return True
        return bool(self.shell(_LIST_USERS, self._folder, in_network).strip())

    def remove(self, name: str) -> int:
        """Remove the files about the registry of this name; returns how many there were."""
        found = self.list_locations(name)
        for location in found:
            self._remove(location)
        return len(found)

    def _remove(self, location: str) -> None:
        self.shell(_REMOVE, f"{self._folder}/{location}")

    def find_refusal(self, source: Source) -> str | None:
        """Why containerd cannot pull from a registry, as a sentence without a subject; None if it can.

        It is asked for an image that the registry does not have, and has to say that it is not found.
        """
        if not wait_until(lambda: self._reaches(source), seconds=_ANSWER_SECONDS):
            return f"gets no answer from {source.url}"
        by, _, answer = self.shell(_RESOLVE, f"{source.location}/{NOT_THERE}", self._folder).partition("\n")
        if not by:
            return "cannot be asked, because it has neither `crictl` nor `ctr`"
        try:
            refusal = find_refusal(answer)
        except SilentRegistryError:
            refusal = f"does not look for {source.location} at {source.url}"
        configuration = self._configuration
        if not (refusal or by == "ctr") or configuration is None or hosts_folder_in(configuration):
            return refusal
        mirrors = mirrors_in(configuration)
        instead = f", but `mirrors` for {' and '.join(mirrors)}" if mirrors else ""
        return f"has no `config_path` in its configuration{instead}, so it reads no `hosts.toml`"

    def _reaches(self, source: Source) -> bool:
        try:
            self.shell(_REACH, f"{source.url}/")
        except EngineLostError:
            raise
        except EngineError:
            return False
        return True


def _mark(name: str) -> str:
    """The first line of localreg's files about a registry."""
    return f"# Written by `localreg connect` for registry `{name}`; `localreg disconnect` removes it."
