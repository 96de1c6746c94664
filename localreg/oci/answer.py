"""Answers of a registry, read to their bounded end, and the errors that they mean."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3
import urllib3.exceptions

from localreg.errors import LocalregError, RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.access import Access
from localreg.oci.leads import origin_of
from localreg.oci.manifest import UNREADABLE
from localreg.oci.ping import Reply, ask
from localreg.system.command_line import CommandLine, Sentence

_CHUNK = 64 << 10
_SHOWN = 200
_ABSENT = frozenset({"NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "NAME_INVALID"})
_NOT_TLS = ("wrong version number", "record layer failure", "unknown protocol")
"""What OpenSSL says of a server that answers in plain HTTP."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole response."""

    status: int
    headers: Any
    body: bytes


def read_answer(response: urllib3.BaseHTTPResponse, what: str, limit: int) -> Answer:
    """Read a whole response.

    Args:
        response: What came.
        what: The name of the requested thing, for errors.
        limit: The largest accepted response in bytes.

    Raises:
        RegistryError: it is larger, or breaks off.
    """
    body = bytearray()
    at_end = False
    try:
        # `read1` returns the available bytes instead of waiting for a full chunk.
        while part := response.read1(_CHUNK):
            body += part
            if len(body) > limit:
                raise RegistryError(
                    f"the registry's response for {what} is larger than {limit >> 20} MiB", status=response.status
                )
        at_end = True
    except urllib3.exceptions.ProtocolError as exc:
        # The registry is reachable; maybe only this response is broken, as for a blob that is gone from its disk.
        raise RegistryError(f"the registry's response for {what} broke off") from exc
    finally:
        if not at_end:
            response.close()
        # Always: the pool would wait for ever for a connection that is not released.
        response.release_conn()
    return Answer(response.status, response.headers, bytes(body))


class Failures:
    """The errors of one registry.

    Args:
        base_url: Its URL.
        seconds: How long it may take for an answer.
        access: How a client gets in; None for the developer's own.
    """

    def __init__(self, base_url: str, *, seconds: float, access: Access | None) -> None:
        self._base = base_url
        self._seconds = seconds
        self._access = access
        self._far_host = None if access is None or access.is_own else access.host
        """The registry as references name it, if it is not on the developer's own engine."""
        # Where there are two registries, each error tells which.
        self.who = "the registry" if self._far_host is None else f"the registry at {self._far_host}"
        self.has_login = False
        """Requests were sent with stored credentials."""

    def no_registry(self, answer: Answer, what: str) -> RegistryError:
        """The error for a response that no registry sends."""
        return RegistryError(
            f"{self._base} is not a registry: it did not return JSON for {what}",
            details=[answer.body[:_SHOWN].decode(errors="backslashreplace")],
            status=answer.status,
        )

    def of_answer(self, answer: Answer, what: str) -> LocalregError:
        """The error for a response that was not expected."""
        code, message = _first_error(answer.body)
        absent = answer.status == HTTPStatus.NOT_FOUND
        if absent and (code in _ABSENT or not answer.body):
            return RepositoryNotFoundError(
                f"{self.who} does not have {what.removeprefix('blob ').removeprefix('the tags of ')}"
            )
        # The answer to HEAD has no text to recognise this by.
        if (
            answer.status == HTTPStatus.BAD_REQUEST
            and code is None
            and self._base.startswith("http:")
            and ask(self._base) is Reply.SPEAKS_TLS
        ):
            return self._tls_alone()
        if answer.status == HTTPStatus.UNAUTHORIZED:
            return self._no_login(what, code, message)
        said = f"{code}: {message}" if code else answer.body[:_SHOWN].decode(errors="backslashreplace").strip()
        details = [said] if said else []
        if answer.status == HTTPStatus.FORBIDDEN and self._access is not None:
            return RegistryError(
                f"{self.who} does not permit {what}",
                hint=Sentence("the stored login does not have this right")
                if self.has_login
                else self._access.login_command,
                details=[*details, *self._access.problems()],
                status=answer.status,
                registry_code=code,
            )
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = answer.headers.get("Retry-After")
            return RegistryError(
                f"{self.who} allows no more requests for now",
                hint=Sentence("the same command goes on later, and skips what is there; a login may allow more"),
                details=[*details, *([f"it asks to wait {wait} seconds"] if wait and wait.isdigit() else [])],
                status=answer.status,
                registry_code=code,
            )
        return RegistryError(
            f"{self.who} returned {answer.status} for {what}",
            details=details,
            status=answer.status,
            registry_code=code,
        )

    def _tls_alone(self) -> RegistryUnreachableError:
        if self._far_host is None:
            return speaks_tls(self._base)
        return RegistryUnreachableError(f"{self.who} speaks TLS", hint=Sentence("leave out --plain-http"))

    def _no_login(self, what: str, code: str | None, message: str | None) -> RegistryError:
        if self._access is None:
            return RegistryError(
                f"the registry at {self._base} requires a login for {what}",
                hint=CommandLine("login"),
                status=HTTPStatus.UNAUTHORIZED,
                registry_code=code,
            )
        return RegistryError(
            f"{self.who} does not accept the stored login" if self.has_login else f"{self.who} requires a login",
            hint=self._access.login_command,
            details=[
                f"it returned 401 for {what}{f' ({code}: {message})' if code else ''}",
                *self._access.problems(),
            ],
            status=HTTPStatus.UNAUTHORIZED,
            registry_code=code,
        )

    def of_connection(self, error: Exception, url: str | None = None) -> RegistryUnreachableError:
        """The error for a connection that failed.

        Args:
            error: Why.
            url: What was asked for; the registry may have led to another host.
        """
        host = self._far_host or urlsplit(self._base).netloc
        asked = self._base if url is None else url
        is_elsewhere = origin_of(asked) != origin_of(self._base)
        if is_elsewhere:
            host = urlsplit(asked).netloc.rpartition("@")[2]
        if isinstance(error, urllib3.exceptions.SSLError | ssl.SSLError):
            return self._no_tls(error, host, is_elsewhere=is_elsewhere)
        hint: str = CommandLine("doctor", "registry", "port")
        if self._far_host is not None:
            hint = Sentence("check the name of the registry, and the network")
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            why = f"it does not answer within {self._seconds:g} seconds"
        elif isinstance(error, urllib3.exceptions.ProxyError):
            why = "the proxy in HTTPS_PROXY does not lead there"
        elif isinstance(error, urllib3.exceptions.NameResolutionError):
            why = "its name is not known"
        elif "refused" in str(error):
            why = "nothing listens there"
        elif isinstance(error, urllib3.exceptions.ConnectTimeoutError):
            why = "nothing answers there"
        else:
            why = "the connection broke"
        if is_elsewhere:
            return RegistryUnreachableError(f"cannot reach {host}, where {self.who} leads: {why}")
        where = self._base if self._far_host is None else host
        return RegistryUnreachableError(f"cannot reach the registry at {where}: {why}", hint=hint)

    def _no_tls(self, error: Exception, host: str, *, is_elsewhere: bool) -> RegistryUnreachableError:
        said, who = str(error), f"{host}, where {self.who} leads," if is_elsewhere else f"the registry at {host}"
        if any(sign in said.lower() for sign in _NOT_TLS):
            port = "" if ":" in host.rpartition("]")[2] else f" and name the port, such as {host}:80"
            plain: str = Sentence(f"if you trust the network in between, add --plain-http{port}")
            if self._far_host is None:
                # Another program has the port of localreg's own registry.
                plain = CommandLine("status")
            return RegistryUnreachableError(f"{who} does not speak TLS", hint=None if is_elsewhere else plain)
        found = _verify_error(error)
        if found is not None:
            cure: str = Sentence(f"put the certificate of its CA into ~/.config/containers/certs.d/{host}/ca.crt")
            if self._far_host is None and not is_elsewhere:
                # It has another certificate than the one that localreg gave it, or that has ended.
                cure = CommandLine("up", "--recreate")
            return RegistryUnreachableError(f"the certificate of {who} is not trusted: {found}", hint=cure)
        return RegistryUnreachableError(
            f"cannot reach {who.removesuffix(',')}: its TLS failed", details=[said.rpartition("(_ssl.c")[0] or said]
        )


def speaks_tls(url: str) -> RegistryUnreachableError:
    """The error for a registry that speaks TLS at the address of a URL."""
    return RegistryUnreachableError(
        f"the registry at {urlsplit(url).netloc} speaks TLS, but localreg speaks plain HTTP only",
        hint=CommandLine("--name", "OTHER", "up"),
    )


def _verify_error(error: BaseException | None) -> str | None:
    """Why a certificate was not accepted, in OpenSSL's words; None if that was not the reason."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message.rstrip(".").lower() if error.verify_message else error.reason.lower()
        error = next((each for each in error.args if isinstance(each, BaseException)), error.__cause__)
    return None


def _first_error(body: bytes) -> tuple[str | None, str | None]:
    """The code and the message of a registry's error body, `{"errors": [{code, message, detail}]}`."""
    try:
        first = json.loads(body)["errors"][0]
        return str(first["code"]), str(first.get("message") or "")
    except UNREADABLE:
        return None, None


def parse_object(data: bytes) -> Mapping[str, Any] | None:
    """A JSON object; None if it is not one."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
