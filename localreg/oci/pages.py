"""Lists of several pages: each names the next one in its `Link`."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from urllib.parse import parse_qs, urlsplit

from localreg.errors import RegistryError
from localreg.oci.answer import Answer
from localreg.oci.leads import resolved, target_of
from localreg.oci.transport import Transport

_PAGE_BYTES = 16 << 20
_MOST_PAGES = 5000
"""Some registries send a hundred names a page, whatever they are asked for."""
_MOST_BYTES = 256 << 20
"""Of all pages; a million repositories take a tenth of it."""
_LINK = re.compile(r"<([^<>]*)>\s*;[^<]*\brel=\"?next\"?")


def iter_names(transport: Transport, path: str, what: str, key: str) -> Iterator[str]:
    """The names in a list of several pages.

    Args:
        transport: Sends the requests.
        path: That of the first page.
        what: The list, for errors.
        key: The name of the list in a page.

    Raises:
        RepositoryNotFoundError: there is no such list.
        RegistryError: it does not end, or is none.
    """
    following: str | None = path
    seen: set[str] = set()
    left = _MOST_BYTES
    while following is not None:
        seen.add(following)
        if len(seen) > _MOST_PAGES or left < 0:
            raise RegistryError(f"{transport.failures.who} sends {what} without end")
        answer = transport.request("GET", following, what, limit=_PAGE_BYTES)
        left -= len(answer.body)
        # Distribution sends `null` for an empty one.
        found = transport.parse(answer, what).get(key) or []
        if not isinstance(found, list):
            raise transport.no_registry(answer, what)
        yield from map(str, found)
        following = next_page(answer, following, seen, who=transport.failures.who)


def next_page(answer: Answer, path: str, seen: Container[str], *, who: str, names_last: bool = True) -> str | None:
    """The path of the next page. The host of an absolute link is ignored: it is the registry's own view of itself.

    Args:
        answer: The page.
        path: Its path.
        seen: The paths of all pages so far.
        who: How errors name the registry.
        names_last: The link tells the last name of the page.

    Raises:
        RegistryError: the link leads back, or nowhere.
    """
    found = _LINK.search(answer.headers.get("Link") or "")
    if found is None:
        return None
    following = target_of(resolved(path, found.group(1), who=who))
    if following in seen or (names_last and not parse_qs(urlsplit(following).query).get("last")):
        raise RegistryError(f"{who} sent an invalid link to the next page: {found.group(1)}")
    return following
