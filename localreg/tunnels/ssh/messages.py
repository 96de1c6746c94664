"""The messages of `ssh -v`, and the errors that they mean. OpenSSH does not translate them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localreg.errors import HostKeyError, LocalregError, TunnelError, UsageError
from localreg.system.command_line import Sentence
from localreg.tunnels.spec import TunnelSpec
from localreg.tunnels.ssh.known_hosts import how_to_accept, login_command

LOGGED_IN = "Entering interactive session"
"""`ssh` accepts commands on its control socket."""
FORWARDED = "client_request_forwarded_tcpip"
"""A client on the other machine connects to the port."""
CHANNEL = re.compile(r"debug1: channel (?P<number>\d+): (?P<what>new|free)\b")
"""A connection begins or ends."""
PROHIBITED = "open failed: administratively prohibited"
"""The other machine forbids a connection to this address."""
REFUSED = "connect failed: Connection refused"
"""Nothing listens there."""
OVERRIDDEN = "overridden by server GatewayPorts"
"""The other machine listens on every address, whatever was requested."""
OPEN_FAILED = "open failed: "
"""A connection to the other machine's port failed, for one of these or another reason."""
COUNTED = (PROHIBITED, REFUSED, OPEN_FAILED, OVERRIDDEN)

_NOISE = ("debug1: ", "debug2: ", "debug3: ", "OpenSSH_", "Authenticated to ", "Transferred: ", "Bytes per second")
_AUTHENTICATED = re.compile(r"Authenticated to (?P<name>\S+) \((?:\[(?P<address>[^]]+)\]:\d+|via proxy)\)")
_HOST_KEY = re.compile(r"Server host key: (?P<kind>\S+) (?P<fingerprint>\S+)")

_KEYS_KNOWN = "SSH2_MSG_NEWKEYS sent"

_CONNECT = re.compile(r"connect to host (?P<host>\S+) port (?P<port>\d+): ")
_SSH_PORT = "22"
_LOST = (
    "Connection refused",
    "Connection timed out",
    "Operation timed out",
    "No route to host",
    "Network is unreachable",
    "Could not resolve hostname",
    "Connection closed by",
    "Connection reset",
    "kex_exchange_identification",
    "Timeout, server",
    "Broken pipe",
)


def is_message(line: str) -> bool:
    """Whether `ssh` would print the line without `-v`."""
    return bool(line.strip()) and not line.startswith(_NOISE)


def remote_address(lines: Sequence[str]) -> str | None:
    """The address of the machine that accepted the login, or its name if there is no address."""
    for line in reversed(lines):
        if found := _AUTHENTICATED.search(line):
            return found["address"] or found["name"]
    return None


def explain(lines: Sequence[str], spec: TunnelSpec) -> LocalregError:
    """The reason why `ssh` could not connect.

    Args:
        lines: The output of `ssh -v`.
        spec: The tunnel.
    """
    host = spec.host
    said = [line.strip() for line in lines if is_message(line)]
    at_exchange = _until_keys_are_known(lines)
    if any(map(_is_about_host_key, at_exchange)):
        return _host_key(at_exchange, spec)
    for matches, make_error in ((_is_about_login, _login), (_is_about_options, _options)):
        if any(map(matches, said)):
            return make_error(said, host)
    last = next((line for line in reversed(said) if any(lost in line for lost in _LOST)), said[-1] if said else "")
    reason = last.removeprefix("ssh: ") or "`ssh` ended without a message"
    place = ""
    if found := _CONNECT.match(reason):
        reason = reason[found.end() :]
        # An alias, or a port of `ssh_config`, may be the cause.
        if found["host"] != host.rpartition("@")[2]:
            place = f" ({found['host']} port {found['port']})"
        elif found["port"] != _SSH_PORT:
            place = f" port {found['port']}"
    return TunnelError(
        f"cannot connect to {host}{place}: {reason[:1].lower()}{reason[1:]}",
        hint=login_command(host, ssh_options=spec.ssh_options),
        details=[line for line in said[-5:] if line != last],
    )


def _until_keys_are_known(lines: Sequence[str]) -> Sequence[str]:
    """The lines before the other machine proved its identity; after that, a banner can contain any text.

    A jump host completes this exchange before the other machine begins it.
    """
    known = [number for number, line in enumerate(lines) if _KEYS_KNOWN in line]
    rest = lines[known[-1] :] if known else lines
    return [] if known and not any(map(_HOST_KEY.search, rest)) else rest


def _is_about_host_key(line: str) -> bool:
    return line.startswith("Host key verification failed") or "host key is known for" in line


def _is_about_login(line: str) -> bool:
    return "Permission denied (" in line or "Too many authentication failures" in line


def _is_about_options(line: str) -> bool:
    return "Bad configuration option" in line or line.startswith("command-line")


def _host_key(lines: Sequence[str], spec: TunnelSpec) -> LocalregError:
    host = spec.host
    key = next((found for line in lines if (found := _HOST_KEY.search(line))), None)
    details = [f"its key has the type {key['kind']}: {key['fingerprint']}"] if key else []
    if any("HOST IDENTIFICATION HAS CHANGED" in line for line in lines):
        offending = [line for line in lines if line.startswith("Offending")]
        return HostKeyError(
            f"the host key of {host} has changed: another machine may have taken its address",
            hint=Sentence(
                "ask the machine's administrator; if the new key is right, remove the old one with `ssh-keygen -R`"
            ),
            details=[*details, *offending],
        )
    accept = how_to_accept(spec)
    then = f"; then add --ssh-option {accept.option}: your ssh_config keeps no keys" if accept.option else ""
    return HostKeyError(
        f"the host key of {host} is not known yet, and localreg does not accept new keys",
        hint=accept.command,
        details=[*details, f"log in once, compare the key and accept it{then}"],
    )


def _login(said: Sequence[str], host: str) -> LocalregError:
    about_keys = [line for line in said if "key" in line.lower() and "Permission denied (" not in line]
    methods = next((line.partition("(")[2].rstrip(").") for line in said if "Permission denied (" in line), "")
    return TunnelError(
        f"{host} refused the login{': it accepts ' + methods if methods else ''}",
        hint=Sentence("ssh-add, or use --identity FILE with a key that it accepts"),
        details=[*about_keys[:4], "a password is not possible, because the tunnel must reconnect by itself"],
    )


def _options(said: Sequence[str], _: str) -> LocalregError:
    line = next(filter(_is_about_options, said))
    return UsageError(f"`ssh` rejected an option: {line}", hint="man ssh_config")
