"""An engine's own API, asked directly: quicker than its program, and not localreg."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from localreg.system.unix_socket import UnixHTTPConnection

_SECONDS = 60
_OWN_NETWORKS = ("bridge", "host", "none", "podman")


@dataclass(frozen=True)
class EngineApi:
    """The API behind a socket."""

    socket: Path
    native: str = ""
    """What the paths of Podman's own API begin with; its other one is Docker's."""

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

    def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """What there is of a `container`, `volume` or `image`; None where there is none."""
        end = "" if kind == "volume" and not self.native else "/json"
        status, body = self._request("GET", f"{self.native}/{kind}s/{quote(name)}{end}")
        assert status in (200, 404), body
        found: dict[str, Any] | None = json.loads(body) if status == 200 else None
        return found

    def load(self, archive: Path) -> None:
        """Load an image archive."""
        with archive.open("rb") as file:
            status, body = self._request("POST", f"{self.native}/images/load", file)
        assert status == 200, body
        assert b'"error' not in body, body

    def images(self) -> set[str]:
        """The names of all images; the ID of one without a name."""
        found = self.get(f"{self.native}/images/json")
        return {name for image in found for name in _named(image.get("RepoTags")) or [image["Id"]]}

    def name_image(self, image: str, name: str) -> None:
        """Give an image one more name."""
        repository, _, tag = name.rpartition(":")
        self.change("POST", f"/images/{image}/tag?repo={repository}&tag={tag}")

    def remove_image(self, name: str) -> None:
        """Take a name from an image, and with the last one the image; a container that uses it stays."""
        self.change("DELETE", f"{self.native}/images/{quote(name)}?force=true")

    def remove_all(self) -> None:
        """Remove every container, every volume, and every network that the engine has not by itself."""
        for container in self.get("/containers/json?all=1"):
            path = f"{self.native}/containers/{container['Id']}?force=true&v=true&timeout=0"
            # One that removes itself may be at it.
            status, body = self._request("DELETE", path)
            assert status < 300 or status in (404, 409), body
        for volume in self.get("/volumes")["Volumes"] or ():
            self.change("DELETE", f"/volumes/{volume['Name']}")
        for network in self.get("/networks"):
            if network["Name"] not in _OWN_NETWORKS:
                self.change("DELETE", f"/networks/{network['Name']}")

    def _request(self, method: str, path: str, body: IO[bytes] | None = None) -> tuple[int, bytes]:
        with contextlib.closing(UnixHTTPConnection(str(self.socket), timeout=_SECONDS)) as connection:
            headers = {} if body is None else {"Content-Type": "application/x-tar"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()


def _named(tags: list[str] | None) -> list[str]:
    """The names of an image; Docker lists one without a name as `<none>:<none>`."""
    return [tag for tag in tags or () if not tag.startswith("<none>")]
