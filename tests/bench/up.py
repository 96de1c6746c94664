"""`up`, compared with running the registry by hand and polling it until it answers."""

from __future__ import annotations

from collections.abc import Iterator

from bench.compare import Row, Target, compare
from bench.timed import localreg, run
from support.engines.real import Bed, is_free

from localreg.system.waiting import wait_until

_PORT = 5000
_IMAGE = "docker.io/library/registry:2.8.3"
_BY_HAND = f"""
{{program}} run -d --name by-hand -p 127.0.0.1:{_PORT}:5000 {_IMAGE} &&
until curl -sf -o /dev/null http://127.0.0.1:{_PORT}/v2/; do sleep 0.05; done
"""


def measure(bed: Bed) -> Iterator[Row]:
    """Measure `up` on one engine, which already has the image."""

    def ours() -> float:
        seconds = localreg(bed, "up", "--port", str(_PORT)).seconds
        bed.ok("down", "--volumes")
        _settle()
        return seconds

    def peer() -> float:
        seconds = run(bed, "sh", "-c", _BY_HAND.format(program=bed.program)).seconds
        bed.engine_ok("rm", "-f", "-v", "by-hand")
        _settle()
        return seconds

    yield compare(f"{bed.name}: `up`, image already pulled", ours, f"{bed.program} run -d", peer, Target(1.2, plus=0.3))


def _settle() -> None:
    """Wait until the port is free: a port forwarder may outlive its container, and must not delay the next turn."""
    if not wait_until(lambda: is_free(_PORT), seconds=20):
        raise SystemExit(f"port {_PORT} stays taken")
