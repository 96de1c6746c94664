"""Plain HTTP with Docker: the cure if Docker expects TLS from a registry that has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localreg.engines.common.messages import WANTS_TLS
from localreg.errors import LocalregError
from localreg.system.address import Address

_CONTAINERD_STORE = "io.containerd.snapshotter.v1"
_LOOPBACK = ("127.0.0.0/8", "::1/128")


def has_containerd_store(info: Mapping[str, Any]) -> bool:
    """Docker keeps its images in containerd, which reads `/etc/docker/certs.d`.

    Args:
        info: `GET /info`.
    """
    return dict(info.get("DriverStatus") or ()).get("driver-type") == _CONTAINERD_STORE


def with_cure(error: LocalregError, registry: str, *, containerd_store: bool, rootless: bool) -> LocalregError:
    """The error with the cure as its hint, if Docker expected TLS.

    One entry alone in `insecure-registries` would take away plain HTTP on loopback from Docker 29.10 on, for every
    registry there. See https://github.com/moby/moby/pull/53868.

    Args:
        error: Of a push or a pull.
        registry: Its address, `host:port`.
        containerd_store: Docker keeps its images in containerd.
        rootless: Docker runs without root, with the configuration in the user's home.
    """
    if not any(map(WANTS_TLS.search, error.details)):
        return error
    if containerd_store:
        folder = f"{'~/.config' if rootless else '/etc'}/docker/certs.d/{registry}"
        sudo = "" if rootless else "sudo "
        line = f'server = "http://{registry}"'
        return error.with_(hint=f"{sudo}mkdir -p {folder} && echo '{line}' | {sudo}tee {folder}/hosts.toml")
    named = () if Address(registry.rpartition(":")[0].strip("[]"), 0).is_loopback else (registry,)
    entries = ", ".join(f'"{entry}"' for entry in (*_LOOPBACK, *named))
    place = "~/.config/docker/daemon.json" if rootless else "/etc/docker/daemon.json"
    return error.with_(hint=f"add {entries} to `insecure-registries` in {place}, then restart Docker")
