"""The connections to a registry, and to the hosts that it leads to."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from threading import Lock
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import urllib3
import urllib3.connection

from localreg.errors import ConfigError
from localreg.oci.deadline import with_deadline
from localreg.system.address import Address, without_password
from localreg.system.command_line import Sentence

STREAM_CHUNK = 1 << 20
_STREAM_SECONDS = 120.0
"""How long a registry may take for one step of a large transfer: at its end, Distribution waits for the disk."""
_CONNECT_SECONDS = 5.0
_FAR_CONNECT_SECONDS = 20.0
"""With TLS, which few registries on the developer's own machine have."""


class Use(StrEnum):
    """What a connection is for. Each has connections of its own.

    An upload may read what it sends from the same registry: both out of one pool would wait for each other.
    """

    SMALL = "small"
    """The time-out is for a whole response; for the others, for each step of it, because they may be large."""
    DOWNLOAD = "download"
    UPLOAD = "upload"


class _Plain(urllib3.connection.HTTPConnection):
    """A connection whose read time-out covers a whole response."""

    def connect(self) -> None:
        """Connect, then start the clock."""
        super().connect()
        self.sock = with_deadline(self.sock)


class _Tls(urllib3.connection.HTTPSConnection):
    """The same with TLS."""

    def connect(self) -> None:
        """Connect, then start the clock."""
        super().connect()
        self.sock = with_deadline(self.sock)


class Connections:
    """Connections that stay open; safe to use from several threads.

    Args:
        timeout: Seconds for one whole request.
        most: The number of connections to keep open for each host and use.
        uses_proxy: Connections with TLS go through the proxy of the environment.
        ca: The certificate of the only CA to trust, as PEM; None for those of the system and of engines.
    """

    def __init__(self, *, timeout: float, most: int, uses_proxy: bool = False, ca: str | None = None) -> None:
        self._seconds = timeout
        self._most = most
        self._uses_proxy = uses_proxy
        self._ca = ca
        self._pools: dict[tuple[str, str, Use], urllib3.HTTPConnectionPool] = {}
        self._is_closed = False
        self._lock = Lock()

    def pool(self, url: str, use: Use) -> urllib3.HTTPConnectionPool:
        """The connections to the host of a URL.

        Args:
            url: Any URL of the host; a user in it is ignored.
            use: What they are for.

        Raises:
            ConfigError: a file of a CA for the host cannot be read, or the proxy for it cannot be used.
        """
        parts = urlsplit(url)
        key = parts.scheme, parts.netloc.rpartition("@")[2], use
        with self._lock:
            if key not in self._pools:
                self._pools[key] = self._made(*key)
                if self._is_closed:
                    self._pools[key].close()
            return self._pools[key]

    def close(self) -> None:
        """Close them; the next request of a thread that is still at work fails."""
        with self._lock:
            self._is_closed = True
            for pool in self._pools.values():
                pool.close()

    def _made(self, scheme: str, host: str, use: Use) -> urllib3.HTTPConnectionPool:
        is_small = use is Use.SMALL
        connect = min(self._seconds, _FAR_CONNECT_SECONDS if scheme == "https" else _CONNECT_SECONDS)
        make: Callable[..., urllib3.HTTPConnectionPool] = urllib3.connectionpool.connection_from_url
        if scheme == "https" and self._uses_proxy and (proxy := _find_proxy(host)):
            make = _through(proxy)
        # A pool notices when the registry has closed an idle connection.
        pool = make(
            f"{scheme}://{host}",
            maxsize=self._most,
            block=True,
            timeout=urllib3.Timeout(connect=connect, read=self._seconds if is_small else _STREAM_SECONDS),
            retries=False,
            **({"ssl_context": _trust(host, self._ca)} if scheme == "https" else {}),
            **({} if is_small else {"blocksize": STREAM_CHUNK}),
        )
        if is_small:
            pool.ConnectionCls = _Tls if scheme == "https" else _Plain
        return pool


def _trust(host: str, ca: str | None) -> object:
    from localreg.oci.trust import context_for  # noqa: PLC0415 -- most registries speak plain HTTP

    return context_for(host, ca=ca)


def _find_proxy(host: str) -> str | None:
    """The URL of the proxy that the environment, or macOS, names for a host with TLS."""
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 -- most registries speak plain HTTP

    name = urlsplit(f"https://{host}").hostname or ""
    return None if Address(name, 0).is_loopback or proxy_bypass(name) else getproxies().get("https")


def _read_proxy(url: str) -> SplitResult | None:
    """The parts of a proxy's URL; None if it is not valid, or not one for HTTP."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        # Its text may hold a part of the password.
        return None
    return parts if is_valid else None


def _through(proxy: str) -> Callable[..., urllib3.HTTPConnectionPool]:
    """How connections through a proxy are made.

    Raises:
        ConfigError: its URL is not that of a proxy for HTTP.
    """
    parts = _read_proxy(proxy)
    if parts is None:
        raise ConfigError(
            f"the proxy in HTTPS_PROXY cannot be used: {without_password(proxy)}",
            hint=Sentence("set it to http://HOST:PORT, or name the registry in NO_PROXY"),
        )
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None

    def make(url: str, **options: Any) -> urllib3.HTTPConnectionPool:
        manager = urllib3.ProxyManager(
            f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            proxy_headers=urllib3.make_headers(proxy_basic_auth=user),
            **options,
        )
        return manager.connection_from_url(url)

    return make
