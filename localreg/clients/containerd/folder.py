"""What the folder of a registry has to say to containerd, and the changes after which it does."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from localreg.clients.containerd.hosts_toml import HostsFile, base_of, host_lines, read_hosts, server_lines
from localreg.clients.containerd.search import ANY_REGISTRY, Search
from localreg.clients.file_change import FileChange
from localreg.clients.marked_block import (
    Block,
    add_block,
    ca_name,
    changes_of,
    list_blocks,
    read_text,
    remove_blocks,
)
from localreg.clients.port import Obstacle, Target
from localreg.errors import ConfigError
from localreg.system.address import is_loopback
from localreg.system.command_line import Sentence

FILE = "hosts.toml"


@dataclass(frozen=True, slots=True)
class Need:
    """What containerd needs for one location."""

    location: str
    folder: Path
    block: Block | None = None
    """The lines of localreg; None if it needs none."""
    because: str | None = None
    """Why it needs none, as in `Plan.provided`."""
    obstacle: Obstacle | None = None


def find_need(search: Search, target: Target, location: str) -> Need:
    """Find what containerd needs for one location.

    Raises:
        ConfigError: its file cannot be read or parsed.
    """
    found = search.find_folder(location)
    own = None if found is None or found.name == ANY_REGISTRY else found
    if own is None or (own.parent != search.roots[0] and not (own / FILE).exists()):
        # A folder without the file in a later root is Docker's, which would read the file as well.
        own = search.roots[0] / location
    file = own / FILE
    url = f"{'http' if target.ca is None else 'https'}://{location}"
    ca = ca_name(target.name) if target.ca else None
    is_free = target.ca is None and is_loopback(location) and not location.endswith(":443")
    text = remove_blocks(read_text(file), target.name)
    if not text.strip():
        is_redirected = found is not None and found.name == ANY_REGISTRY and (found / FILE).exists()
        if is_free and not is_redirected:
            return Need(location, own, because="loopback")
        return Need(location, own, Block(target.name, location, server_lines(url, ca=ca)))
    hosts = read_hosts(text, file, release=search.release)
    fault = None if hosts.fault is None else Obstacle(f"`{file}` {hosts.fault}", Sentence(f"correct {file}"))
    if _has_endpoint(hosts, own, target, url):
        return Need(location, own, because=str(file), obstacle=fault)
    if is_free and not hosts.has_server:
        return Need(location, own, because="loopback", obstacle=fault)
    if any(base_of(other) == url for other in hosts.values.get("host", {})):
        return Need(location, own, obstacle=_taken(file, url, is_tls=ca is not None))
    return Need(location, own, Block(target.name, location, host_lines(url, ca=ca)), obstacle=fault)


def plan_folder(folder: Path, target: Target, block: Block | None) -> list[FileChange]:
    """The changes after which localreg has this in a folder, and nothing else for this registry.

    Args:
        folder: It may not exist.
        target: The registry.
        block: Its lines; None for none.

    Raises:
        ConfigError: the lines cannot be added to the file.
    """
    file = folder / FILE
    text = read_text(file)
    if [each for each in list_blocks(text, file) if each.name == target.name] != ([block] if block else []):
        rest = text = remove_blocks(text, target.name)
        if block is not None:
            text = _add(rest, block, file)
    return changes_of(file, text, name=target.name, ca=target.ca if block is not None else None)


def is_ours(folder: Path, name: str) -> bool:
    """Whether localreg wrote something there for a registry."""
    return (folder / ca_name(name)).exists() or f"# localreg trust: {name}," in _glance(folder / FILE)


def is_spare(path: Path) -> bool:
    """Whether localreg wrote a file of a folder that was never in its place, or is not any longer."""
    if path.name == FILE:
        return "# localreg trust: " in _glance(path)
    return path.name.removeprefix(".").startswith("localreg-ca-") or path.name == f".{FILE}.new"


def _has_endpoint(hosts: HostsFile, folder: Path, target: Target, url: str) -> bool:
    """Whether a file of others leads to the registry, by any of its locations."""
    scheme = url.partition("://")[0]
    urls = [f"{scheme}://{place}" for place in target.locations]
    return any(
        endpoint.url in urls
        and endpoint.takes_pushes
        and (target.ca is None or not endpoint.verifies or _has_ca(folder, endpoint.ca, target.ca))
        for endpoint in hosts.endpoints
    )


def _has_ca(folder: Path, paths: Iterable[str], ca: str) -> bool:
    return any(ca.strip() in read_text(folder / path) for path in paths)


def _add(rest: str, block: Block, file: Path) -> str:
    text = add_block(rest, block)
    reason = _find_fault(rest, text, block)
    if reason is not None:
        raise ConfigError(
            f"cannot add the registry to `{file}`",
            hint=Sentence(f"add these lines to {file}"),
            details=[reason, *block.body.splitlines()],
        )
    return text


def _find_fault(rest: str, text: str, block: Block) -> str | None:
    """Why the text with the lines is not what was meant; None if it is."""
    wanted, added = tomllib.loads(rest), tomllib.loads(block.body)
    hosts = wanted.setdefault("host", {})
    try:
        found = tomllib.loads(text)
        hosts.update(added.pop("host"))
    except (tomllib.TOMLDecodeError, AttributeError) as exc:
        return str(exc)
    return None if found == {**wanted, **added} else "the lines cannot be added to what is there"


def _glance(path: Path) -> str:
    """The text of a file that may be localreg's; empty if it cannot be read."""
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _taken(file: Path, url: str, *, is_tls: bool) -> Obstacle:
    why = "trusts another CA" if is_tls else "takes no pushes"
    cure = "add the registry's CA to its `ca`" if is_tls else "remove its `capabilities`"
    return Obstacle(f'`{file}` has a [host."{url}"] that {why}', Sentence(f"{cure} in {file}"))
