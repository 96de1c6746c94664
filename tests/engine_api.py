"""An engine's own API, the same for Docker and Podman, asked directly: quicker than its program, and not localreg."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beds import TESTER_RUNTIME, Bed

from localreg.system.unix_socket import UnixHTTPConnection
from localreg.system.waiting import wait_until

_SECONDS = 60


@dataclass(frozen=True)
class EngineApi:
    """The API behind a socket."""

    socket: Path

    def get(self, path: str) -> Any:
        """Ask for something."""
        status, body = self._request("GET", path)
        assert status == 200, body
        return json.loads(body)

    def change(self, method: str, path: str) -> None:
        """Have something done, or find it done already."""
        status, body = self._request(method, path)
        assert status < 300 or status in (304, 404), f"{method} {path}: {body!r}"

    def answers(self) -> bool:
        """Whether somebody listens."""
        with contextlib.suppress(OSError):
            return self._request("GET", "/_ping")[0] == 200
        return False

    def _request(self, method: str, path: str) -> tuple[int, bytes]:
        with contextlib.closing(UnixHTTPConnection(str(self.socket), timeout=_SECONDS)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()


@contextlib.contextmanager
def opened_api(bed: Bed) -> Iterator[EngineApi]:
    """The API of an engine; of a Podman through a service that is not localreg's."""
    if bed.program == "docker":
        yield EngineApi(Path("/var/run/docker.sock"))
        return
    api = EngineApi((TESTER_RUNTIME if bed.uid else Path("/run")) / "tests.sock")
    with bed.started("podman", "system", "service", "--time=0", f"unix://{api.socket}") as service:
        assert wait_until(api.answers, seconds=30, is_alive=lambda: service.poll() is None)
        yield api
    api.socket.unlink()
