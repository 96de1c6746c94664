"""A Docker daemon in memory that reads the files of a machine in a folder, as dockerd reads those of its own."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from support.engines.fake import FakeEngine

from localreg.clients.port import Machine
from localreg.engines.common.messages import transfer_error
from localreg.engines.plain_http import LOOPBACK, PlainHttp
from localreg.engines.values import EngineInfo, Progress
from localreg.oci.access import Credentials

PID = 4242
_KEY = "insecure-registries"


@dataclass
class Dockerd(FakeEngine):
    """It runs on a machine whose files are in a folder.

    Attributes:
        root: The folder.
        containerd_store: It keeps its images in containerd.
        strict: A list takes loopback's exception away, as since Docker 29.10.
        flags: Of its command line.
        reached: The registries that answer, and the certificate of the CA of those with TLS.
        reloads: How often it read its files again.
    """

    root: Path
    containerd_store: bool = False
    strict: bool = False
    flags: tuple[str, ...] = ()
    rootless: bool = False
    reached: dict[str, str | None] = field(default_factory=dict)
    reloads: int = 0
    _list: list[str] | None = None

    def __post_init__(self) -> None:
        super().__init__()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._read()
        run = self.root / ("run" if self.rootless else "var/run")
        run.mkdir(parents=True, exist_ok=True)
        (run / "docker.pid").write_text(str(PID))
        process = self.root / "proc" / str(PID)
        process.mkdir(parents=True)
        (process / "comm").write_text("dockerd\n")
        (process / "cmdline").write_bytes(b"\0".join(word.encode() for word in ("dockerd", *self.flags)) + b"\0")

    @property
    def folder(self) -> Path:
        return self.root / ("home/.config/docker" if self.rootless else "etc/docker")

    @property
    def file(self) -> Path:
        return self.folder / "daemon.json"

    @property
    def machine(self) -> Machine:
        environ = {"HOME": str(self.root / "home"), "XDG_RUNTIME_DIR": str(self.root / "run"), "PATH": os.defpath}
        return Machine(environ, self.root, lambda: self)

    def kill(self, pid: int, number: int) -> None:
        """The system's `kill`, for this one process."""
        assert (pid, number) == (PID, signal.SIGHUP)
        self.reloads += 1
        self._read()

    def _read(self) -> None:
        found = json.loads(self.file.read_text() or "{}") if self.file.exists() else {}
        # As dockerd does: a list that is not there any longer stays in force.
        if found.get(_KEY) is not None:
            self._list = found[_KEY]

    def info(self) -> EngineInfo:
        listed = self._list or []
        ranges = [entry for entry in listed if "/" in entry]
        if self._list is None or not self.strict:
            ranges = list(dict.fromkeys([*ranges, *LOOPBACK]))
        rules = PlainHttp(
            containerd_store=self.containerd_store,
            rootless=self.rootless,
            networks=tuple(map(ipaddress.ip_network, ranges)),
            secure={"docker.io": True} | {entry: False for entry in listed if "/" not in entry},
            place="here",
            folder=self.folder,
        )
        return replace(super().info(), plain_http=rules)

    def pull_image(self, reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        assert plain_http
        del login
        place = reference.partition("/")[0]
        yield from ()
        raise transfer_error(reference, self._answer(place))

    def _answer(self, place: str) -> str:
        if place not in self.reached:
            return f'Get "https://{place}/v2/": dial tcp: connection refused'
        rules, ca = self.info().plain_http, self.reached[place]
        insecure = rules is not None and rules.uses(place)
        certs = self.folder / "certs.d" / place
        if ca is not None:
            trusted = insecure or any(ca in path.read_text() for path in certs.glob("*.crt"))
            return "manifest unknown" if trusted else "tls: failed to verify certificate: x509: unknown authority"
        hosts = certs / "hosts.toml"
        if self.containerd_store and hosts.exists():
            insecure = f'server = "http://{place}"' in hosts.read_text()
        return "manifest unknown" if insecure else "http: server gave HTTP response to HTTPS client"
