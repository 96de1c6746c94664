"""The text of a `hosts.toml`, which tells containerd how to reach a registry.

containerd drops a file that it does not understand, with a line in its log or without one, and uses HTTPS as before.
These texts use only what each release since 1.5 reads in the same way.
"""

from __future__ import annotations

import json

HEADER = "# Written by `localreg trust`; `localreg untrust` removes it.\n"


def hosts_toml(url: str, *, ca: str | None = None) -> str:
    """The text of the whole file, if the registry has none.

    Args:
        url: Where containerd reaches the registry, such as `http://registry:5000`; the folder of the file has the
            `HOST:PORT` that begins a reference to it.
        ca: The path of its CA's certificates, absolute or beside the file; None if the system trusts it or it speaks
            plain HTTP.
    """
    # As a host in addition to the server, each request that fails is made twice. Without [host], containerd before
    # 1.7.25 drops the file.
    return f"{HEADER}server = {_quote(url)}\n{_ca_line(ca)}\n[host]\n"


def _ca_line(ca: str | None) -> str:
    return f"ca = {_quote(ca)}\n" if ca else ""


def _quote(text: str) -> str:
    """A basic string of TOML, which escapes as JSON does."""
    return json.dumps(text, ensure_ascii=False)
