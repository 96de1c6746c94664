"""The tunnels that are kept, as their own processes tell, and how they are closed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from localreg.errors import TunnelError
from localreg.tunnels.files import Place, iter_places, wait_for_end
from localreg.tunnels.keep import control
from localreg.tunnels.spec import TunnelSpec, TunnelStatus

_CLOSE_SECONDS = 10.0
"""How long a process may take to end `ssh` and itself."""
_MOST_AT_ONCE = 8


def list_tunnels() -> list[tuple[Place, TunnelStatus]]:
    """Every tunnel that a process keeps, with what that says."""
    places = list(iter_places())
    if not places:
        return []
    with ThreadPoolExecutor(min(len(places), _MOST_AT_ONCE)) as pool:
        told = pool.map(get_status, places)
    return sorted(
        ((place, status) for place, status in zip(places, told, strict=True) if status is not None),
        key=lambda found: (found[1].spec.host, found[1].spec.remote_port),
    )


def get_status(place: Place) -> TunnelStatus | None:
    """What the process that keeps a tunnel says; None where the tunnel has just gone."""
    spec = place.read()
    if spec is None:
        return _unreadable(place)
    answer = control.ask(place.control, control.STATUS)
    try:
        return TunnelStatus.from_json(spec, answer or "")
    except ValueError:
        return TunnelStatus(spec, None, "unknown", reason="its process does not say")


def fits(status: TunnelStatus, host: str) -> bool:
    """Whether a tunnel is what a user calls `host`: with or without the name to log in with, or as a URL."""
    given = status.spec.host
    return host in (given, given.rpartition("@")[2], urlsplit(given).hostname if "://" in given else None)


def _unreadable(place: Place) -> TunnelStatus | None:
    """A tunnel that a process keeps, with a spec that says nothing to us; None where it has just gone, or begins."""
    try:
        begins = place.spec.stat().st_size == 0
    except FileNotFoundError:
        return None
    spec = TunnelSpec(place.spec.stem, 0, registry="", location="", target="")
    return None if begins else TunnelStatus(spec, None, "unknown", reason=f"`{place.spec}` cannot be read")


def close_tunnels(found: Sequence[tuple[Place, TunnelStatus]]) -> None:
    """Close tunnels, and wait until they are.

    Raises:
        TunnelError: a process cannot be ended.
    """
    for place, status in found:
        if status.state != "unknown":
            control.ask(place.control, control.CLOSE)
    for place, status in found:
        if status.state != "unknown" and wait_for_end(place, seconds=_CLOSE_SECONDS):
            continue
        # It does not hear: what is marked as the tunnel's is ended without it.
        place.end_processes()
        if not wait_for_end(place, seconds=_CLOSE_SECONDS):
            raise TunnelError(
                f"the process of the tunnel to {status.spec.host} cannot be ended", hint="localreg tunnel ls"
            )
