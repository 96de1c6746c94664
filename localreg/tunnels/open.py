"""Makes a tunnel's spec from the options of `tunnel open`."""

from __future__ import annotations

import ipaddress
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from localreg.errors import UsageError
from localreg.registry.container import Registry
from localreg.system.address import Address
from localreg.system.command_line import CommandLine
from localreg.system.ssh import destination
from localreg.tunnels.spec import LOOPBACK, LogSource, TunnelSpec
from localreg.tunnels.ssh.options import OURS

_ALSO_OURS = frozenset({"controlpath", "localforward", "remoteforward", "dynamicforward"})


def check_request(host: str | None, command: str | None, probe_url: str | None) -> None:
    """Check that the options describe one tunnel.

    Raises:
        UsageError: neither a host nor a program is given, or both.
    """
    if host is None and command is None:
        raise UsageError("a tunnel needs a host to log in to", hint=CommandLine("tunnel", "open", "USER@HOST"))
    if host is not None and command is not None:
        raise UsageError("a host cannot be used with --command", hint=CommandLine("tunnel", "open", "--help"))
    if host is not None and (host.startswith("-") or not host or " " in host or not host.isprintable()):
        raise UsageError(f"`{host}` is not a valid host", hint=CommandLine("tunnel", "open", "USER@HOST"))
    if host is not None:
        try:
            destination(host)
        except ValueError as exc:
            # The URL may have a password, so it is not shown.
            raise UsageError(
                f"not a host to log in to: {exc}", hint=CommandLine("tunnel", "open", "USER@HOST")
            ) from exc
    if (command is None) != (probe_url is None):
        raise UsageError(
            "--command and --probe-url must be used together: localreg checks the tunnel at that URL",
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
    """Make the spec of a tunnel through `ssh`.

    Args:
        registry: The running registry.
        log: Its log, if it can be read.
        host: `USER@HOST`, or a name from the user's `ssh_config`.
        remote_port: The port on the other machine.
        bind: `loopback`, or an address of the other machine.
        expose: Machines other than that one can push.
        identity: The file of a private key.
        ssh_options: Each `KEY=VALUE`.

    Raises:
        UsageError: an option is invalid, or `bind` would open the port to others without `expose`.
    """
    address = _bind_address(bind)
    is_loopback = Address(address, remote_port).is_loopback
    if is_loopback and expose:
        raise UsageError("--expose needs --bind with an address that others can reach", hint="--bind 0.0.0.0 --expose")
    if identity is not None and not os.access(identity, os.R_OK):
        reason = "cannot be read" if os.path.lexists(identity) else "does not exist"
        raise UsageError(f"the key `{identity}` {reason}", hint="--identity ~/.ssh/id_ed25519")
    for option in ssh_options:
        _check_option(option)
    spec = TunnelSpec(
        host=host,
        remote_port=remote_port,
        registry=registry.container.name,
        location=registry.get_location(),
        url=registry.get_url(),
        requires_login=bool(registry.options.auth),
        bind=address,
        exposed=expose,
        identity=None if identity is None else str(identity.absolute()),
        ssh_options=tuple(ssh_options),
        log=log,
    )
    if not is_loopback and not expose:
        raise UsageError(
            f"--bind {bind} needs --expose: anyone who can reach {host} could "
            f"{'try passwords' if registry.options.auth else 'push without a password'}",
            hint=replace(spec, bind=LOOPBACK).as_typed(),
        )
    return spec


def plan_program(registry: Registry, log: LogSource | None, *, command: str, probe_url: str) -> TunnelSpec:
    """Make the spec of a tunnel through a program.

    Args:
        registry: The running registry.
        log: Its log, if it can be read.
        command: In the syntax of a shell, but run without one; `{port}` is the registry's port on this machine.
        probe_url: The registry's URL through the program.

    Raises:
        UsageError: the command or the URL is invalid.
    """
    url = registry.get_url()
    port = urlsplit(url).port
    try:
        words = tuple(word.replace("{port}", str(port)) for word in shlex.split(command))
    except ValueError as exc:
        raise UsageError(
            f"`{command}` is not a valid command: {str(exc).lower()}", hint=CommandLine("tunnel", "open", "--help")
        ) from exc
    if not words:
        raise UsageError("--command is empty", hint=CommandLine("tunnel", "open", "--help"))
    hint = "--probe-url https://NAME.ngrok.app"
    # First, because the other errors quote the URL.
    if "@" in probe_url.partition("://")[2].partition("/")[0]:
        raise UsageError("--probe-url must not contain a user name or a password: others could see it", hint=hint)
    try:
        parts = urlsplit(probe_url)
        port_there = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as exc:
        raise UsageError(f"`{probe_url}` is not a valid URL: {exc}", hint=hint) from exc
    if parts.query or parts.fragment:
        raise UsageError(f"`{probe_url}` must not have a query or a fragment: localreg appends `/v2/`", hint=hint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"`{probe_url}` is not a valid URL", hint=hint)
    return TunnelSpec(
        host=Path(words[0]).name,
        remote_port=port_there,
        registry=registry.container.name,
        location=registry.get_location(),
        url=url,
        requires_login=bool(registry.options.auth),
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
        raise UsageError(f"`{bind}` is not a valid address to listen on", hint="--bind loopback") from exc


def _check_option(option: str) -> None:
    key, mark, _ = option.partition("=")
    if not mark or not key.isalnum():
        raise UsageError(f"`{option}` is not an option for `ssh`: use KEY=VALUE", hint="--ssh-option Port=2222")
    if key.lower() in _ALSO_OURS | {name.lower() for name in OURS}:
        raise UsageError(f"localreg sets `{key}` itself", hint=CommandLine("tunnel", "open", "--help"))
