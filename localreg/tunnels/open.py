"""What a tunnel is to be, made from what the user typed."""

from __future__ import annotations

import ipaddress
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from localreg.command_line import CommandLine
from localreg.errors import UsageError
from localreg.registry.container import Registry
from localreg.system.address import Address
from localreg.tunnels.spec import LOOPBACK, LogSource, TunnelSpec
from localreg.tunnels.ssh.options import OURS

_ALSO_OURS = frozenset({"controlpath", "localforward", "remoteforward", "dynamicforward"})


def check_request(host: str | None, command: str | None, probe_url: str | None) -> None:
    """Refuse what names no tunnel, or two.

    Raises:
        UsageError: either a host or a program makes a tunnel.
    """
    if host is None and command is None:
        raise UsageError("a tunnel needs a host to log in to", hint=CommandLine("tunnel", "open", "USER@HOST"))
    if host is not None and command is not None:
        raise UsageError("a host and --command do not go together", hint=CommandLine("tunnel", "open", "--help"))
    if host is not None and (host.startswith("-") or not host or " " in host or not host.isprintable()):
        raise UsageError(f"`{host}` is no host to log in to", hint=CommandLine("tunnel", "open", "USER@HOST"))
    if (command is None) != (probe_url is None):
        raise UsageError(
            "--command and --probe-url go together: a program does not say whether it works",
            hint=CommandLine(
                "tunnel", "open", "--command", "ngrok http {port}", "--probe-url", "https://NAME.ngrok.app"
            ),
        )


def plan_ssh(
    registry: Registry,
    log: LogSource | None,
    *,
    host: str,
    remote_port: int,
    bind: str,
    expose: bool,
    identity: Path | None,
    ssh_options: Sequence[str],
) -> TunnelSpec:
    """A tunnel through `ssh`.

    Args:
        registry: Which runs.
        log: Where its log is, if it can be read.
        host: `USER@HOST`, or a name of the user's `ssh_config`.
        remote_port: What the far side listens on.
        bind: `loopback`, or an address of the far side.
        expose: Others than the far machine itself may push.
        identity: A private key's file.
        ssh_options: Each `KEY=VALUE`.

    Raises:
        UsageError: an option makes no sense, or opens the port without a word that it shall.
    """
    address = _bind_address(bind)
    is_loopback = Address(address, remote_port).is_loopback
    if is_loopback and expose:
        raise UsageError("--expose is for an address with --bind that others reach", hint="--bind 0.0.0.0 --expose")
    if identity is not None and not os.access(identity, os.R_OK):
        reason = "cannot be read" if os.path.lexists(identity) else "is not there"
        raise UsageError(f"the key `{identity}` {reason}", hint="--identity ~/.ssh/id_ed25519")
    for option in ssh_options:
        _check_option(option)
    spec = TunnelSpec(
        host=host,
        remote_port=remote_port,
        registry=registry.container.name,
        location=registry.get_location(),
        url=registry.get_url(),
        bind=address,
        exposed=expose,
        identity=None if identity is None else str(identity.absolute()),
        ssh_options=tuple(ssh_options),
        log=log,
    )
    if not is_loopback and not expose:
        raise UsageError(
            f"--bind {bind} needs --expose: everyone who can reach {host} could push without a password",
            hint=replace(spec, bind=LOOPBACK).as_typed(),
        )
    return spec


def plan_program(registry: Registry, log: LogSource | None, *, command: str, probe_url: str) -> TunnelSpec:
    """A tunnel through a program.

    Args:
        registry: Which runs.
        log: Where its log is, if it can be read.
        command: As in a shell, but run without one; `{port}` is the registry's port on this machine.
        probe_url: Where the program makes the registry answer.

    Raises:
        UsageError: the command is none, or the URL.
    """
    url = registry.get_url()
    port = urlsplit(url).port
    try:
        words = tuple(word.replace("{port}", str(port)) for word in shlex.split(command))
    except ValueError as exc:
        raise UsageError(
            f"`{command}` is no command: {str(exc).lower()}", hint=CommandLine("tunnel", "open", "--help")
        ) from exc
    if not words:
        raise UsageError("--command is empty", hint=CommandLine("tunnel", "open", "--help"))
    hint = "--probe-url https://NAME.ngrok.app"
    try:
        parts = urlsplit(probe_url)
        port_there = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as exc:
        raise UsageError(f"`{probe_url}` is no URL to look at: {exc}", hint=hint) from exc
    if parts.query or parts.fragment:
        raise UsageError(f"`{probe_url}` has more than a path: `/v2/` comes behind it", hint=hint)
    if parts.username is not None or parts.password is not None:
        raise UsageError("--probe-url has a name or a password in it, which others would see", hint=hint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"`{probe_url}` is no URL to look at", hint=hint)
    return TunnelSpec(
        host=Path(words[0]).name,
        remote_port=port_there,
        registry=registry.container.name,
        location=registry.get_location(),
        url=url,
        exposed=True,
        command=words,
        probe_url=probe_url,
        log=log,
    )


def _bind_address(bind: str) -> str:
    if bind in ("loopback", "localhost"):
        return LOOPBACK
    try:
        return str(ipaddress.ip_address(bind.strip("[]")))
    except ValueError as exc:
        raise UsageError(f"`{bind}` is no address to listen on", hint="--bind loopback") from exc


def _check_option(option: str) -> None:
    key, mark, _ = option.partition("=")
    if not mark or not key.isalnum():
        raise UsageError(f"`{option}` is no option of `ssh`: it is KEY=VALUE", hint="--ssh-option Port=2222")
    if key.lower() in _ALSO_OURS | {name.lower() for name in OURS}:
        raise UsageError(f"localreg sets `{key}` itself", hint=CommandLine("tunnel", "open", "--help"))
