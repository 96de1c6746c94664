"""Which programs use plain HTTP for a registry without being told, by its address: found by running each."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Host(StrEnum):
    """How the name of an image addresses its registry."""

    LOCALHOST = "localhost"
    IPV4 = "127.0.0.1"
    OTHER_IPV4 = "127.0.0.2"
    IPV6 = "[::1]"
    DOT_LOCALHOST = "x.localhost"
    DOT_LOCAL = "x.local"
    PRIVATE = "10.0.0.1"
    OTHER = "other"


class Answer(StrEnum):
    """Whether a program uses plain HTTP."""

    YES = "yes"
    NO = "no"
    IF_LOOPBACK = "if loopback"
    """It looks the name up."""
    NO_NAME = "not a name"
    """It takes it for no part of an image's name."""
    UNKNOWN = "not tried"


@dataclass(frozen=True, slots=True)
class Program:
    """The habits of a program."""

    name: str
    releases: str
    """Those that were run."""
    answers: Mapping[Host, Answer] = field(default_factory=dict)
    """The answer is no for the others."""
    option: str = ""
    """An option that makes it use plain HTTP; empty if only its configuration does."""

    def answer(self, host: Host) -> Answer:
        """Whether it uses plain HTTP for a registry that is addressed like this."""
        return self.answers.get(host, Answer.NO)


def _all(answer: Answer, *hosts: Host) -> dict[Host, Answer]:
    return dict.fromkeys(hosts, answer)


_BY_NAME = _all(Answer.IF_LOOPBACK, Host.DOT_LOCALHOST, Host.DOT_LOCAL, Host.OTHER)
_IPV4 = _all(Answer.YES, Host.LOCALHOST, Host.IPV4, Host.OTHER_IPV4)
_LOOPBACK = {**_IPV4, Host.IPV6: Answer.YES}
_CONTAINERS = {Host.IPV6: Answer.NO_NAME}

PROGRAMS = (
    Program("docker, classic store", "20.10, 26.1", {**_IPV4, **_BY_NAME}),
    Program("docker, classic store", "28.5", {**_LOOPBACK, **_BY_NAME}),
    Program("docker, containerd store", "28.5, 29.7", _LOOPBACK),
    Program("podman", "4.3, 5.8, 6.1", _CONTAINERS, "--tls-verify=false"),
    Program("skopeo", "1.9, 1.22", _CONTAINERS, "--tls-verify=false"),
    Program("ctr", "1.6, 2.1", _LOOPBACK, "--plain-http"),
    Program("containerd, through its CRI", "1.6", {**_IPV4, **_CONTAINERS}),
    Program("containerd, through its CRI", "2.1", _LOOPBACK),
    Program("buildkitd", "0.32", _LOOPBACK),
    Program(
        "docker buildx imagetools",
        "0.29",
        {
            **_all(Answer.YES, Host.LOCALHOST, Host.OTHER_IPV4),
            **_all(Answer.UNKNOWN, Host.IPV4, Host.IPV6, Host.DOT_LOCAL, Host.PRIVATE),
        },
    ),
    Program(
        "crane",
        "0.20",
        _all(
            *(Answer.YES, Host.LOCALHOST, Host.IPV4, Host.IPV6),
            *(Host.DOT_LOCALHOST, Host.DOT_LOCAL, Host.PRIVATE),
        ),
        "--insecure",
    ),
    Program("oras", "1.3", _all(Answer.YES, Host.LOCALHOST), "--plain-http"),
)
"""For a registry on port 5000. `ctr` expects TLS on port 443 everywhere."""


def kind_of(location: str) -> Host:
    """How a `HOST:PORT` addresses its registry."""
    host = location.rpartition(":")[0].strip("[]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        names = {"localhost": Host.LOCALHOST}
        suffixes = {".localhost": Host.DOT_LOCALHOST, ".local": Host.DOT_LOCAL}
        return names.get(host) or next((kind for end, kind in suffixes.items() if host.endswith(end)), Host.OTHER)
    if address.is_loopback:
        exact = {"127.0.0.1": Host.IPV4, "::1": Host.IPV6}
        return exact.get(str(address), Host.OTHER_IPV4)
    return Host.PRIVATE if any(address in network for network in _PRIVATE) else Host.OTHER


_PRIVATE = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))


def option_for(program: str, location: str) -> str | None:
    """The option that a command of a program needs for a registry without TLS.

    Args:
        program: Its name, such as `skopeo`.
        location: `HOST:PORT`.

    Returns:
        Empty if it needs none; None if no option helps, or the program is not known.
    """
    kind = kind_of(location)
    answers = [(each.answer(kind), each.option) for each in PROGRAMS if each.name == program]
    if not answers or any(answer is Answer.NO_NAME for answer, _ in answers):
        return None
    if all(answer is Answer.YES for answer, _ in answers):
        return ""
    return answers[0][1] or None
