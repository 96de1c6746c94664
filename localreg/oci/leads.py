"""Where a registry leads its clients: redirects, places for uploads and next pages."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

from localreg.errors import RegistryError

_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """The scheme, the host and the port of a URL: a token is for one of these only."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def target_of(url: str) -> str:
    """The path and the query of a URL."""
    parts = urlsplit(url)
    return f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"


def resolved(url: str, location: str, *, who: str) -> str:
    """The URL that a registry means.

    Args:
        url: The one that was asked.
        location: As in its answer.
        who: How errors name the registry.

    Raises:
        RegistryError: it is not a valid URL.
    """
    try:
        found = urljoin(url, location)
        origin_of(found)
    except ValueError:
        raise RegistryError(f"{who} leads to an invalid URL") from None
    return found


def is_own_view(base: str, url: str) -> bool:
    """The URL is of the registry itself, which behind a proxy for TLS may believe that it speaks plain HTTP."""
    mine, other = urlsplit(base), urlsplit(url)
    return mine.hostname == other.hostname and (
        origin_of(base) == origin_of(url) or (other.scheme in _PORTS and mine.port == other.port)
    )


def led_to(url: str, location: str, *, who: str) -> str:
    """The URL that a redirect leads to.

    Args:
        url: The one that redirects.
        location: As in its answer.
        who: How errors name the registry.

    Raises:
        RegistryError: it is not one to follow: of another scheme, or plain HTTP after TLS.
    """
    following = resolved(url, location, who=who)
    after = urlsplit(following)
    allowed = ("https",) if urlsplit(url).scheme == "https" else ("http", "https")
    if after.scheme in allowed and after.hostname:
        return following
    raise RegistryError(f"{who} leads from TLS to `{after.scheme}://{after.hostname}`, which is not safe to follow")
