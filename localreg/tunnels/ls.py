"""The tunnels that are kept, as their own processes tell."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from localreg.tunnels.files import TunnelFiles, iter_tunnel_files
from localreg.tunnels.keep import control
from localreg.tunnels.spec import TunnelSpec, TunnelStatus

_MOST_AT_ONCE = 8


def list_tunnels() -> list[tuple[TunnelFiles, TunnelStatus]]:
    """Every tunnel that a process keeps, with what that says."""
    found = list(iter_tunnel_files())
    if not found:
        return []
    with ThreadPoolExecutor(min(len(found), _MOST_AT_ONCE)) as pool:
        told = pool.map(get_status, found)
    return sorted(
        ((files, status) for files, status in zip(found, told, strict=True) if status is not None),
        key=lambda found: (found[1].spec.host, found[1].spec.remote_port),
    )


def get_status(files: TunnelFiles) -> TunnelStatus | None:
    """What the process that keeps a tunnel says; None where the tunnel has just gone."""
    spec = files.read()
    if spec is None:
        return _unreadable(files)
    answer = control.ask(files.control, control.STATUS)
    try:
        return TunnelStatus.from_json(spec, answer or "")
    except ValueError:
        return TunnelStatus(spec, None, "unknown", reason="its process does not say")


def fits(status: TunnelStatus, host: str) -> bool:
    """Whether a tunnel is what a user calls `host`: with or without the name to log in with, or as a URL."""
    given = status.spec.host
    return host in (given, given.rpartition("@")[2], urlsplit(given).hostname if "://" in given else None)


def _unreadable(files: TunnelFiles) -> TunnelStatus | None:
    """A tunnel that a process keeps, with a spec that says nothing to us; None where it has just gone, or begins."""
    try:
        begins = files.spec.stat().st_size == 0
    except FileNotFoundError:
        return None
    spec = TunnelSpec(files.spec.stem, 0, registry="", location="", url="")
    return None if begins else TunnelStatus(spec, None, "unknown", reason=f"`{files.spec}` cannot be read")
