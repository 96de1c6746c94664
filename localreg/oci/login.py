"""The `Authorization` header for each request to one registry, and the tokens that it is made of."""

from __future__ import annotations

import base64
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from threading import Lock
from urllib.parse import urlencode, urlsplit

from localreg.errors import RegistryError
from localreg.oci.access import Access, Credentials
from localreg.oci.answer import Answer
from localreg.oci.challenge import Challenge, Scopes, joined, read_challenge, repository_of
from localreg.oci.manifest import UNREADABLE
from localreg.system.command_line import Sentence

_CLIENT = "localreg"
_SECONDS = 60
"""How long a token is valid if its server does not tell."""
_EARLY = 10.0
"""Seconds before its end at which a token is not used for another request."""

Ask = Callable[[str, str, Mapping[str, str], bytes | None], Answer]
"""Sends a request to a login server: the method, the URL, headers and the body."""


class Login:
    """Logs in to one registry; safe to use from several threads.

    Args:
        access: Where the credentials come from.
        base_url: The registry's.
        ask: Sends a request to its login server.
    """

    def __init__(self, access: Access, base_url: str, ask: Ask) -> None:
        self._access = access
        self._is_plain = urlsplit(base_url).scheme == "http"
        self._ask = ask
        self._challenge: Challenge | None = None
        self._known: dict[Scopes, tuple[str, float]] = {}
        """The header for each need, and when it ends."""
        self._locks: defaultdict[Scopes, Lock] = defaultdict(Lock)
        self._lock = Lock()
        self.has_credentials = False
        """A store had credentials for a request."""

    def header_for(self, scopes: Scopes) -> str | None:
        """The header for a request; None until the registry wanted one.

        Raises:
            RegistryError: the login server refuses, or does not answer as one does.
        """
        challenge = self._challenge
        return None if challenge is None or not scopes else self._header(challenge, scopes, refused=None)

    def renew(self, answer: str, scopes: Scopes, refused: str | None) -> str | None:
        """Take the registry's challenge, and get another header.

        Args:
            answer: Its `WWW-Authenticate`.
            scopes: What the request needs.
            refused: The header that it was sent with.

        Returns:
            The other header; None if it is not worth another attempt.

        Raises:
            RegistryError: the login server refuses, or does not answer as one does.
        """
        challenge = read_challenge(answer)
        if challenge is None:
            return None
        # The scopes in it are of this request alone.
        self._challenge = replace(challenge, scopes=frozenset())
        # A path of the registry's own choice does not tell what it needs; the challenge does.
        found = self._header(challenge, scopes or challenge.scopes, refused=refused)
        return None if found == refused else found

    def _header(self, challenge: Challenge, scopes: Scopes, *, refused: str | None) -> str | None:
        with self._lock:
            lock = self._locks[scopes]
        with lock:
            known, end = self._known.get(scopes, (None, 0.0))
            if known is not None and known != refused and time.monotonic() < end:
                return known
            credentials = self._access.find_credentials(repository_of(scopes))
            self.has_credentials = self.has_credentials or credentials is not None
            if challenge.scheme == "basic":
                if credentials is None or credentials.is_token:
                    return None
                self._known[scopes] = _basic(credentials), float("inf")
            else:
                self._known[scopes] = self._get_token(challenge, scopes, credentials)
            return self._known[scopes][0]

    def _get_token(self, challenge: Challenge, scopes: Scopes, credentials: Credentials | None) -> tuple[str, float]:
        realm = self._check_realm(challenge.realm)
        asked = [("service", challenge.service)] if challenge.service else []
        wanted = joined(scopes, challenge.scopes)
        before = time.monotonic()
        if credentials is not None and credentials.is_token:
            form = [
                ("grant_type", "refresh_token"),
                ("client_id", _CLIENT),
                ("refresh_token", credentials.secret),
                *asked,
                ("scope", " ".join(wanted)),
            ]
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._ask("POST", realm, headers, urlencode(form).encode())
        else:
            query = urlencode([*asked, *(("scope", scope) for scope in wanted)])
            url = f"{realm}{'&' if urlsplit(realm).query else '?'}{query}"
            headers = {} if credentials is None else {"Authorization": _basic(credentials)}
            answer = self._ask("GET", url, headers, None)
        return self._read_token(answer, realm, before)

    def _read_token(self, answer: Answer, realm: str, before: float) -> tuple[str, float]:
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.BAD_REQUEST):
            raise RegistryError(
                f"the registry at {self._access.host} does not accept the stored login"
                if self.has_credentials
                else f"the registry at {self._access.host} requires a login",
                hint=self._access.login_command,
                details=self._access.problems(),
                status=HTTPStatus.UNAUTHORIZED,
                registry_code="UNAUTHORIZED",
            )
        try:
            found = json.loads(answer.body) if answer.status == HTTPStatus.OK else {}
            token = found.get("token") or found.get("access_token")
            seconds = float(found.get("expires_in") or _SECONDS)
        except UNREADABLE:
            token, seconds = None, 0.0
        # It becomes a header.
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise RegistryError(
                f"the login server of the registry at {self._access.host} returned {answer.status} and no token",
                details=[f"it is at {urlsplit(realm).netloc}"],
                status=answer.status,
            )
        return f"Bearer {token}", before + max(seconds - _EARLY, seconds / 2)

    def _check_realm(self, realm: str) -> str:
        try:
            parts = urlsplit(realm)
            allowed = ("https", "http") if self._is_plain else ("https",)
            if parts.scheme in allowed and parts.hostname and parts.username is None and not parts.fragment:
                return realm
        except ValueError:
            pass
        raise RegistryError(
            f"the registry at {self._access.host} names a login server that no password is sent to: `{realm[:200]}`",
            hint=Sentence("only a registry that itself speaks plain HTTP may name one without https"),
        )


def _basic(credentials: Credentials) -> str:
    return f"Basic {base64.b64encode(f'{credentials.user}:{credentials.secret}'.encode()).decode()}"
