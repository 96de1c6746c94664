"""The spec of a tunnel, which its process reads, and the state of a tunnel, which its process reports."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from localreg.engines.values import Endpoint, EngineName, TlsFiles
from localreg.registry.defaults import DEFAULT_PORT
from localreg.system.address import Address
from localreg.system.command_line import CommandLine

DEFAULT_REMOTE_PORT = DEFAULT_PORT
"""The registry's own default, so that references are the same on both machines."""

PORT = "Port"
"""The option of `ssh` for the port of its server."""

LOOPBACK = "127.0.0.1"
"""The address on the other machine. `localhost` could mean IPv4 or IPv6 only, and another program use the other."""


@dataclass(frozen=True, slots=True)
class LogSource:
    """The container whose log records pushes, and its engine."""

    engine: EngineName
    endpoint: Endpoint
    container: str
    """Its name, because a recreated container is the same registry."""


@dataclass(frozen=True, slots=True)
class TunnelSpec:
    """A tunnel as requested."""

    host: str
    """The host for `ssh`, or the name of the program that makes the tunnel."""
    remote_port: int
    registry: str
    """The registry's name."""
    location: str
    """The registry's part of a reference on this machine, such as `localhost:5000`."""
    url: str
    """The registry's URL on this machine."""
    bind: str = LOOPBACK
    """The address on the other machine to listen on."""
    exposed: bool = False
    """Machines other than that one can reach it."""
    identity: str | None = None
    """The file of a private key."""
    ssh_options: tuple[str, ...] = ()
    """Each `KEY=VALUE`, as in `ssh_config`."""
    command: tuple[str, ...] = ()
    """The program that makes the tunnel, with its arguments; empty for `ssh`."""
    probe_url: str | None = None
    """The registry's URL through the program."""
    requires_login: bool = False
    """The registry does."""
    resumes: bool = False
    """Its previous process was killed, so the other machine may still hold the port."""
    log: LogSource | None = None
    """The source of the registry's log; None if reading it needs the engine's SDK."""

    @property
    def remote(self) -> str:
        """The registry on the other machine: an address there, or a URL."""
        return self.probe_url or str(Address(self.bind, self.remote_port))

    @property
    def target(self) -> str:
        """The registry's address on this machine, `host:port`."""
        return urlsplit(self.url).netloc

    @property
    def speaks_tls(self) -> bool:
        """The registry does."""
        return self.url.startswith("https:")

    @property
    def remote_url(self) -> str:
        """The registry's URL on the other machine."""
        return self.probe_url or urlsplit(self.url)._replace(netloc=self.remote).geturl()

    def as_typed(self) -> CommandLine:
        """The command that opens it."""
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
            name, _, value = option.partition("=")
            words += ["-p", value] if name == PORT else ["--ssh-option", option]
        return CommandLine(*words)

    def to_json(self) -> str:
        """Write the spec for `from_json`."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> TunnelSpec:
        """Read the output of `to_json`.

        Raises:
            ValueError: the text is not from `to_json`.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            log = values.pop("log")
            values |= {key: tuple(values[key]) for key in ("ssh_options", "command")}
            # Ignore fields of other releases.
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
"""`connecting` until the tunnel is open for the first time; `open` if the registry answers on the other machine; `not
verified` if the other machine does not allow that check; `not answering` if the registry does not answer; `waiting` for
the next attempt; `unknown` if the tunnel's process does not answer."""


UP: frozenset[TunnelState] = frozenset({"open", "not verified", "not answering"})
"""The states in which the connection to the other machine is open."""


@dataclass(frozen=True, slots=True)
class Push:
    """A push in the registry's log."""

    reference: str
    """Repository and tag, without the registry."""
    at: str
    """RFC 3339."""


@dataclass(frozen=True, slots=True)
class TunnelStatus:
    """The state of a tunnel, as its process reports it."""

    spec: TunnelSpec
    pid: int | None
    state: TunnelState
    reason: str | None = None
    """Why it is not open."""
    opened: str | None = None
    """When it was first open, RFC 3339."""
    since: str | None = None
    """When it entered this state, RFC 3339."""
    reconnects: int = 0
    last_push: Push | None = None
    log: str | None = None
    """The log of a process in the background."""

    def to_json(self) -> str:
        """Write one line for `from_json`, without the spec, which is in a file."""
        values = {name: getattr(self, name) for name in _FIELDS} | {"last_push": None}
        if self.last_push is not None:
            values["last_push"] = asdict(self.last_push)
        return json.dumps(values)

    @classmethod
    def from_json(cls, spec: TunnelSpec, text: str) -> TunnelStatus:
        """Read the output of `to_json`.

        Raises:
            ValueError: the text is not from `to_json`.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            push = values.pop("last_push")
            return cls(spec, **values, last_push=None if push is None else Push(**push))
        except (TypeError, KeyError, AttributeError) as exc:
            raise ValueError("not the state of a tunnel") from exc


_FIELDS = ("pid", "state", "reason", "opened", "since", "reconnects", "log")
