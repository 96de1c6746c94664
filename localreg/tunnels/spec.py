"""What a tunnel was asked for, as it is handed to the process that keeps it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from localreg.command_line import CommandLine
from localreg.engines.values import Endpoint, EngineName, TlsFiles
from localreg.registry.defaults import DEFAULT_PORT
from localreg.system.address import Address

DEFAULT_REMOTE_PORT = DEFAULT_PORT
"""References are then the same on both sides."""

LOOPBACK = "127.0.0.1"
"""What the far side listens on: `localhost` might be one of IPv4 and IPv6 only, and the other somebody else's."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """The container whose log tells of pushes, and the engine that has it."""

    engine: EngineName
    endpoint: Endpoint
    container: str
    """Its name: one that is made anew is the same registry."""


@dataclass(frozen=True, slots=True)
class TunnelSpec:
    """One tunnel."""

    host: str
    """Where it leads: what `ssh` is given, or the name of the program that makes the tunnel."""
    remote_port: int
    registry: str
    """The registry's name."""
    location: str
    """The registry's part of a reference on this machine, such as `localhost:5000`."""
    url: str
    """Where this machine reaches the registry."""
    bind: str = LOOPBACK
    """The address that the far side listens on."""
    exposed: bool = False
    """More than the far machine itself may reach it."""
    identity: str | None = None
    """A file with a private key."""
    ssh_options: tuple[str, ...] = ()
    """Each `KEY=VALUE`, as in `ssh_config`."""
    command: tuple[str, ...] = ()
    """The program that makes the tunnel, and its arguments; empty where `ssh` does."""
    probe_url: str | None = None
    """Where the program makes the registry answer."""
    resumes: bool = False
    """It was kept by a process that was killed: the far side may not know yet."""
    log: LogSource | None = None
    """None where the registry's log cannot be read without the engine's SDK."""

    @property
    def remote(self) -> str:
        """Where the registry answers on the far side: an address there, or a URL."""
        return self.probe_url or str(Address(self.bind, self.remote_port))

    @property
    def target(self) -> str:
        """The address at which this machine reaches the registry, `host:port`."""
        return urlsplit(self.url).netloc

    @property
    def remote_url(self) -> str:
        """The registry's URL on the far side."""
        return self.probe_url or urlsplit(self.url)._replace(netloc=self.remote).geturl()

    def as_typed(self) -> CommandLine:
        """The command that asks for it."""
        words = ["tunnel", "open"]
        if self.probe_url is not None:
            return CommandLine(*words, "--command", shlex.join(self.command), "--probe-url", self.probe_url)
        words.append(self.host)
        if self.remote_port != DEFAULT_REMOTE_PORT:
            words += ["--remote-port", str(self.remote_port)]
        if self.bind != LOOPBACK:
            words += ["--bind", self.bind]
        if self.exposed:
            words.append("--expose")
        if self.identity is not None:
            words += ["--identity", self.identity]
        for option in self.ssh_options:
            words += ["--ssh-option", option]
        return CommandLine(*words)

    def to_json(self) -> str:
        """What `from_json` reads."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> TunnelSpec:
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            log = values.pop("log")
            values |= {key: tuple(values[key]) for key in ("ssh_options", "command")}
            # Of another release it may say more.
            known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
            return cls(**known, log=None if log is None else _log_source(log))
        except (TypeError, KeyError, AttributeError) as exc:
            raise ValueError("not a tunnel") from exc


def _log_source(values: Mapping[str, Any]) -> LogSource:
    endpoint = dict(values["endpoint"])
    tls = endpoint.pop("tls")
    files = None
    if tls is not None:
        skip_verify = tls.pop("skip_verify")
        paths = {key: None if path is None else Path(path) for key, path in tls.items()}
        files = TlsFiles(**paths, skip_verify=skip_verify)
    return LogSource(values["engine"], Endpoint(**endpoint, tls=files), values["container"])


TunnelState = Literal["connecting", "open", "not verified", "not answering", "waiting", "unknown"]
"""`connecting` until it is open for the first time; `open` when the registry answers from the far side; `not verified`
when the far side does not let us look; `not answering` when it does, and no registry answers; `waiting` for the next
attempt; `unknown` when the process that keeps it does not say."""


UP: frozenset[TunnelState] = frozenset({"open", "not verified", "not answering"})
"""The way to the far side is open."""


@dataclass(frozen=True, slots=True)
class Push:
    """A push that the registry's log tells of."""

    reference: str
    """Repository and tag, without the registry."""
    at: str
    """RFC 3339."""


@dataclass(frozen=True, slots=True)
class TunnelStatus:
    """What the process that keeps a tunnel says of it."""

    spec: TunnelSpec
    pid: int | None
    state: TunnelState
    reason: str | None = None
    """Why it is not open."""
    opened: str | None = None
    """When it was open for the first time, RFC 3339."""
    since: str | None = None
    """When it came into this state, RFC 3339."""
    reconnects: int = 0
    last_push: Push | None = None
    log: str | None = None
    """The file that a process in the background writes to."""

    def to_json(self) -> str:
        """One line, for `from_json`; without the spec, which stands in a file."""
        values = {name: getattr(self, name) for name in _SAID} | {"last_push": None}
        if self.last_push is not None:
            values["last_push"] = asdict(self.last_push)
        return json.dumps(values)

    @classmethod
    def from_json(cls, spec: TunnelSpec, text: str) -> TunnelStatus:
        """What `to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            push = values.pop("last_push")
            return cls(spec, **values, last_push=None if push is None else Push(**push))
        except (TypeError, KeyError, AttributeError) as exc:
            raise ValueError("not the state of a tunnel") from exc


_SAID = ("pid", "state", "reason", "opened", "since", "reconnects", "log")
