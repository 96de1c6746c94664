"""The result of `tunnel open`."""

from __future__ import annotations

from localreg.output.block import block
from localreg.output.streams import Renderings
from localreg.output.tunnel.status import state_line, time_ago, tunnel_json
from localreg.system.command_line import CommandLine
from localreg.tunnels.spec import TunnelSpec, TunnelStatus


def render(status: TunnelStatus, *, already: bool = False) -> Renderings:
    """Lay out an open tunnel.

    Args:
        status: As its process reports it.
        already: It was already open.
    """
    spec = status.spec

    def table(width: int) -> str:
        facts = [("there", f"{_there(spec)}/NAME"), ("reach", _reach(spec))]
        if spec.speaks_tls and not spec.probe_url:
            facts.append(("tls", _tls(spec)))
        if status.state != "open":
            facts.append(("state", state_line(status)))
        facts.append(("close", close_command(spec) if status.log or already else "Ctrl-C"))
        if status.log:
            facts.append(("log", status.log))
        return block(_headline(status, already=already), facts, width=width)

    return Renderings(
        table=table,
        plain=lambda: f"{spec.host}\t{spec.remote}",
        quiet=lambda: spec.host,
        json=lambda: {"action": "already open" if already else "opened", "tunnel": tunnel_json(status)},
    )


def close_command(spec: TunnelSpec) -> CommandLine:
    """The command that closes a tunnel."""
    return CommandLine("tunnel", "close", spec.host)


def _headline(status: TunnelStatus, *, already: bool) -> str:
    spec = status.spec
    opened = f", opened {time_ago(status.opened)}" if already and status.opened else ""
    return f"Tunnel{' already' if already else ''} open: {spec.host} reaches registry {spec.location}{opened}"


def _there(spec: TunnelSpec) -> str:
    """The registry's part of a reference on the other machine."""
    if spec.probe_url:
        return spec.probe_url.partition("://")[2].rstrip("/")
    return f"localhost:{spec.remote_port}"


def _tls(spec: TunnelSpec) -> str:
    """What clients there need for the registry's certificate."""
    if spec.exposed:
        return "other machines must use a name in the certificate; `localreg up --recreate --san NAME` adds one"
    return "docker there needs nothing; podman needs `--tls-verify=false`, or the CA's certificate"


def _reach(spec: TunnelSpec) -> str:
    if spec.probe_url:
        return f"anyone that `{spec.host}` lets through"
    return f"anyone who can reach {spec.bind} on {spec.host}" if spec.exposed else f"{spec.host} only ({spec.bind})"
