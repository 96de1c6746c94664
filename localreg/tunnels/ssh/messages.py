"""What `ssh -v` says, and what it means for the user: OpenSSH's messages are the same in every language."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from localreg.errors import HostKeyError, LocalregError, TunnelError, UsageError

LOGGED_IN = "Entering interactive session"
"""Its control socket takes orders."""
FORWARDED = "client_request_forwarded_tcpip"
"""Somebody on the far side connects to the port."""
CHANNEL = re.compile(r"debug1: channel (?P<number>\d+): (?P<what>new|free)\b")
"""A connection begins, or is over."""
PROHIBITED = "open failed: administratively prohibited"
"""The far side does not let us connect to anything there."""
REFUSED = "connect failed: Connection refused"
"""Nobody listens there."""
OVERRIDDEN = "overridden by server GatewayPorts"
"""The far side listens on every address, whatever it was asked for."""
OPEN_FAILED = "open failed: "
"""The same, or another reason why a connection to the far side's port was not made."""
COUNTED = (PROHIBITED, REFUSED, OPEN_FAILED, OVERRIDDEN)

_NOISE = ("debug1: ", "debug2: ", "debug3: ", "OpenSSH_", "Authenticated to ", "Transferred: ", "Bytes per second")
_AUTHENTICATED = re.compile(r"Authenticated to (?P<name>\S+) \((?:\[(?P<address>[^]]+)\]:\d+|via proxy)\)")
_HOST_KEY = re.compile(r"Server host key: (?P<kind>\S+) (?P<fingerprint>\S+)")

_KEYS_KNOWN = "SSH2_MSG_NEWKEYS sent"

_CONNECT = re.compile(r"^connect to host \S+ port \d+: ")
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


def spoken(line: str) -> bool:
    """Whether `ssh` would say a line without `-v`."""
    return bool(line.strip()) and not line.startswith(_NOISE)


def far_address(lines: Sequence[str]) -> str | None:
    """The address, or else the name, of the machine that let us in."""
    for line in reversed(lines):
        if found := _AUTHENTICATED.search(line):
            return found["address"] or found["name"]
    return None


def explain(lines: Sequence[str], host: str) -> LocalregError:
    """Why `ssh` did not get there.

    Args:
        lines: What it wrote.
        host: As it was given.
    """
    said = [line.strip() for line in lines if spoken(line)]
    at_exchange = _until_keys_are_known(lines)
    if any(map(_is_about_host_key, at_exchange)):
        return _host_key(at_exchange, host)
    for hears, explained in ((_is_about_login, _login), (_is_about_options, _options)):
        if any(map(hears, said)):
            return explained(said, host)
    last = next((line for line in reversed(said) if any(lost in line for lost in _LOST)), said[-1] if said else "")
    reason = _CONNECT.sub("", last.removeprefix("ssh: ")) or "it ended without a word"
    return TunnelError(
        f"`ssh` does not get to {host}: {reason}", hint=f"ssh {shlex.quote(host)}", details=[*said[-5:-1], last]
    )


def _until_keys_are_known(lines: Sequence[str]) -> Sequence[str]:
    """What was said before the far side proved who it is: later it may say anything, in a banner.

    A jump host has come so far before the far side begins.
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


def _host_key(lines: Sequence[str], host: str) -> LocalregError:
    key = next((found for line in lines if (found := _HOST_KEY.search(line))), None)
    details = [f"it shows a key of type {key['kind']}: {key['fingerprint']}"] if key else []
    if any("HOST IDENTIFICATION HAS CHANGED" in line for line in lines):
        offending = [line for line in lines if line.startswith("Offending")]
        return HostKeyError(
            f"the key of {host} is not the one that is known: another machine may answer in its place",
            hint="ask who runs it; if the new key is right, `ssh-keygen -R` forgets the old one",
            details=[*details, *offending],
        )
    return HostKeyError(
        f"the key of {host} is not known yet, and localreg does not accept one by itself",
        hint=f"ssh {shlex.quote(host)}",
        details=[*details, "log in once, compare the key, and answer yes"],
    )


def _login(said: Sequence[str], host: str) -> LocalregError:
    about_keys = [line for line in said if "key" in line.lower() and "Permission denied (" not in line]
    methods = next((line.partition("(")[2].rstrip(").") for line in said if "Permission denied (" in line), "")
    return TunnelError(
        f"{host} does not let this user in{': it takes ' + methods if methods else ''}",
        hint="ssh-add, or --identity FILE with a key that it knows",
        details=[*about_keys[:4], "localreg cannot type a password: a tunnel has to come back by itself"],
    )


def _options(said: Sequence[str], _: str) -> LocalregError:
    line = next(filter(_is_about_options, said))
    return UsageError(f"`ssh` does not take an option: {line}", hint="man ssh_config")
