"""The open tunnels and their states, as their processes report them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from localreg.system.runtime_folder import possible_folders
from localreg.tunnels.files import TunnelFiles, iter_tunnel_files
from localreg.tunnels.keep import control
from localreg.tunnels.spec import TunnelSpec, TunnelStatus

_MOST_AT_ONCE = 8


def list_tunnels() -> list[tuple[TunnelFiles, TunnelStatus]]:
    """List the open tunnels with their states."""
    return _ask(list(iter_tunnel_files()))


def ask_tunnels_to(registry: str) -> list[TunnelStatus]:
    """The open tunnels to a registry with their states, by its name; creates no folder for them."""
    return [status for _, status in _ask([files for files, _ in _iter_to(registry)])]


def list_tunnels_to(registry: str) -> list[TunnelSpec]:
    """The same without asking their processes."""
    return sorted((spec for _, spec in _iter_to(registry)), key=lambda spec: (spec.host, spec.remote_port))


def _iter_to(registry: str) -> Iterator[tuple[TunnelFiles, TunnelSpec]]:
    if any(folder.is_dir() for folder in possible_folders()):
        for files in iter_tunnel_files():
            spec = files.read()
            if spec is not None and spec.registry == registry:
                yield files, spec


def _ask(found: Sequence[TunnelFiles]) -> list[tuple[TunnelFiles, TunnelStatus]]:
    if not found:
        return []
    with ThreadPoolExecutor(min(len(found), _MOST_AT_ONCE)) as pool:
        told = pool.map(get_status, found)
    return sorted(
        ((files, status) for files, status in zip(found, told, strict=True) if status is not None),
        key=lambda found: (found[1].spec.host, found[1].spec.remote_port),
    )


def get_status(files: TunnelFiles) -> TunnelStatus | None:
    """Ask a tunnel's process for its state; None if the tunnel has just been closed."""
    spec = files.read()
    if spec is None:
        return _unreadable(files)
    answer = control.ask(files.control, control.STATUS)
    try:
        return TunnelStatus.from_json(spec, answer or "")
    except ValueError:
        return TunnelStatus(spec, None, "unknown", reason="its process does not answer")


def fits(status: TunnelStatus, host: str) -> bool:
    """Whether `host` means this tunnel, with or without the user name, or as a URL."""
    given = status.spec.host
    return host in (given, given.rpartition("@")[2], urlsplit(given).hostname if "://" in given else None)


def _unreadable(files: TunnelFiles) -> TunnelStatus | None:
    """A tunnel whose spec cannot be read; None if it has just been closed, or is just being opened."""
    try:
        begins = files.spec.stat().st_size == 0
    except FileNotFoundError:
        return None
    spec = TunnelSpec(files.spec.stem, 0, registry="", location="", url="")
    return None if begins else TunnelStatus(spec, None, "unknown", reason=f"`{files.spec}` cannot be read")
