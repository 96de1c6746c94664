"""A registry in this process that takes pushes, as registries elsewhere are: it wants logins, pauses and detours."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_PATH = re.compile(r"/v2/(.+)/(manifests|blobs|tags|referrers)/(.+)")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def authorization(self) -> str | None:
        return self.headers.get("Authorization")


@dataclass
class Remote:
    """What a registry stores, and how it behaves."""

    base_url: str
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    """By repository and digest: the media type and the bytes."""
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    """With these it wants a login, with Basic or, if it has a `realm`, with a token."""
    realm: str = ""
    """Where tokens come from: `/token` of any registry of this kind gives them to its own users, and to no user."""
    scopes: bool = True
    """The challenge names the scope; some registries name only the half of it, and this one then none."""
    is_public: bool = False
    """A token that no user asked for is good for pulls."""
    blobs_at: str = ""
    """Blobs are redirected to this URL and their digest."""
    uploads_at: str = ""
    """What stands before the path of an upload."""
    lists_referrers: bool = False
    mounts: bool = True
    forbids: set[str] = field(default_factory=set)
    """Repositories that get no push."""
    answers: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)
    """By method and path: statuses and headers that come before the right answer, the first one first."""
    cuts: dict[str, int] = field(default_factory=dict)
    """By digest: hang up after so many bytes of it, once, down or up."""
    lies: dict[str, bytes] = field(default_factory=dict)
    """By digest: the bytes that are sent instead."""
    holds: dict[str, threading.Event] = field(default_factory=dict)
    """By digest: a download of it waits for this."""
    drips: float = 0.0
    """Seconds between the bytes of every answer's head."""
    asked: list[Asked] = field(default_factory=list)
    tokens: dict[str, list[str]] = field(default_factory=dict)
    """The scopes of each token that it gave."""
    uploads: Counter[str] = field(default_factory=Counter)
    """How many blobs each repository got, not counting mounts."""

    @property
    def location(self) -> str:
        return urlsplit(self.base_url).netloc

    def of(self, method: str, part: str) -> list[Asked]:
        """The requests with this in their target."""
        return [each for each in self.asked if each.method == method and part in each.target]

    # What `Shelf` puts things with.

    def blob(self, repository: str, data: bytes, media_type: str) -> dict[str, Any]:
        digest = digest_of(data)
        self.blobs[repository, digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def manifest(self, repository: str, tag: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
        data, media_type = json.dumps(manifest).encode(), str(manifest["mediaType"])
        digest = digest_of(data)
        self.manifests[repository, digest] = media_type, data
        if tag:
            self.tags[repository, tag] = digest
        return {"mediaType": media_type, "digest": digest, "size": len(data)}


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    """A client makes many connections at once: one too many would be made a second later."""


@contextlib.contextmanager
def remote_registry(*, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> Iterator[Remote]:
    """A registry that listens for as long as the context lasts."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    remote = Remote(f"{'https' if tls else 'http'}://{host}:{server.server_port}")
    server.remote = remote  # type: ignore[attr-defined]  # how a handler reaches it
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield remote
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def remote(self) -> Remote:
        return self.server.remote  # type: ignore[attr-defined,no-any-return]  # set by `remote_registry`

    def handle(self) -> None:
        # A client that does not trust the certificate, or has read enough, hangs up.
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 -- the base class's name
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.remote.asked.append(Asked(self.command, self.path, dict(self.headers)))
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/token":
            self._give_token(parse_qs(parts.query))
            return
        prepared = self.remote.answers.get(f"{self.command} {parts.path}")
        if prepared:
            self._read_body()
            status, headers = prepared.pop(0)
            self._answer(status, b"", headers)
            return
        # It may take uploads below a path of its own choice.
        found = _PATH.fullmatch(unquote(parts.path).removeprefix("/area"))
        repository = found[1] if found else ""
        if self._is_let_in(repository, query):
            self._route(parts.path, found, repository, query)

    def _route(self, path: str, found: re.Match[str] | None, repository: str, query: Mapping[str, str]) -> None:
        if path == "/v2/":
            self._answer(200, b"{}", {"Docker-Distribution-Api-Version": "registry/2.0"})
        elif path == "/v2/_catalog":
            names = sorted({name for name, _ in self.remote.tags})
            self._answer(200, json.dumps({"repositories": names}).encode())
        elif found is None:
            self._error(404, "NAME_UNKNOWN")
        elif found[2] == "tags":
            self._tags(repository, query)
        elif found[2] == "manifests":
            self._manifests(repository, found[3])
        elif found[2] == "referrers":
            self._referrers(repository, found[3])
        elif found[3].startswith("uploads/"):
            self._upload(repository, query)
        else:
            self._blob(repository, found[3])

    def _is_let_in(self, repository: str, query: Mapping[str, str]) -> bool:
        remote, given = self.remote, self.headers.get("Authorization") or ""
        if not remote.users and not remote.realm:
            return True
        actions = "pull" if self.command in ("GET", "HEAD") else "pull,push"
        needed = {f"repository:{repository}:{actions}"} if repository else set()
        needed |= {f"repository:{query['from']}:pull"} if "from" in query else set()
        if not remote.realm:
            if given in {basic(*user) for user in remote.users.items()}:
                return True
            challenge = 'Basic realm="a registry"'
        else:
            scopes = remote.tokens.get(given.removeprefix("Bearer "))
            if scopes is not None and needed <= {*scopes, *(scope.removesuffix(",push") for scope in scopes)}:
                return True
            scope = f',scope="{" ".join(sorted(needed))}"' if remote.scopes else ""
            challenge = f'Bearer realm="{remote.realm}",service="registry"{scope}'
        self._read_body()
        self._error(401, "UNAUTHORIZED", {"WWW-Authenticate": challenge})
        return False

    def _give_token(self, query: Mapping[str, list[str]]) -> None:
        body = parse_qs(self._read_body().decode())
        given = self.headers.get("Authorization")
        known = {basic(*user) for user in self.remote.users.items()}
        wanted = query.get("scope", []) or body.get("scope", [""])[0].split()
        if body.get("refresh_token", [""])[0] in self.remote.users.values() or given in known:
            granted = wanted
        elif given is None and not body and self.remote.is_public:
            granted = [scope.removesuffix(",push") for scope in wanted]
        else:
            self._error(401, "UNAUTHORIZED")
            return
        token = f"token-{len(self.remote.asked)}"
        self.remote.tokens[token] = granted
        self._answer(200, json.dumps({"token": token, "expires_in": 300}).encode())

    def _tags(self, repository: str, query: Mapping[str, str]) -> None:
        tags = sorted(tag for name, tag in self.remote.tags if name == repository and tag > query.get("last", ""))
        if not tags and "last" not in query:
            self._error(404, "NAME_UNKNOWN")
            return
        # Pages of three, whatever is asked for.
        link = {"Link": f'</v2/{repository}/tags/list?last={tags[2]}&n=3>; rel="next"'} if len(tags) > 3 else {}
        self._answer(200, json.dumps({"name": repository, "tags": tags[:3]}).encode(), link)

    def _manifests(self, repository: str, reference: str) -> None:
        remote = self.remote
        if self.command == "PUT":
            data, media_type = self._read_body(), self.headers.get("Content-Type") or ""
            if repository in remote.forbids:
                self._error(403, "DENIED")
                return
            digest = digest_of(data)
            remote.manifests[repository, digest] = media_type, data
            if ":" not in reference:
                remote.tags[repository, reference] = digest
            subject = (json.loads(data).get("subject") or {}).get("digest")
            listed = {"OCI-Subject": subject} if subject and remote.lists_referrers else {}
            self._answer(201, b"", {"Docker-Content-Digest": digest, **listed})
            return
        digest = remote.tags.get((repository, reference), reference)
        if (repository, digest) not in remote.manifests:
            self._error(404, "MANIFEST_UNKNOWN")
            return
        media_type, data = remote.manifests[repository, digest]
        self._answer(200, remote.lies.get(digest, data), {"Content-Type": media_type, "Docker-Content-Digest": digest})

    def _referrers(self, repository: str, subject: str) -> None:
        if not self.remote.lists_referrers:
            self._answer(404, b"404 page not found\n")
            return
        found = [
            {"mediaType": media_type, "digest": digest, "size": len(data)}
            for (name, digest), (media_type, data) in self.remote.manifests.items()
            if name == repository and (json.loads(data).get("subject") or {}).get("digest") == subject
        ]
        media_type = "application/vnd.oci.image.index.v1+json"
        index = {"schemaVersion": 2, "mediaType": media_type, "manifests": found}
        self._answer(200, json.dumps(index).encode(), {"Content-Type": media_type})

    def _blob(self, repository: str, digest: str) -> None:
        data = self.remote.blobs.get((repository, digest))
        if data is None:
            self._error(404, "BLOB_UNKNOWN")
            return
        if self.remote.blobs_at:
            self._answer(307, b"", {"Location": f"{self.remote.blobs_at}{digest}"})
            return
        if self.command == "GET" and digest in self.remote.holds:
            self.remote.holds[digest].wait(30)
        data = self.remote.lies.get(digest, data)
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        first = int(wanted[1]) if wanted else 0
        status = 206 if wanted else 200
        headers = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"} if wanted else {}
        end = self.remote.cuts.pop(digest, None) if self.command == "GET" else None
        self._answer(status, data[first:], headers, cut=end)

    def _upload(self, repository: str, query: Mapping[str, str]) -> None:
        remote = self.remote
        if repository in remote.forbids:
            self._read_body()
            self._error(403, "DENIED")
        elif self.command == "POST":
            origin = (query.get("from", ""), query.get("mount", ""))
            if remote.mounts and origin in remote.blobs:
                remote.blobs[repository, origin[1]] = remote.blobs[origin]
                self._answer(201, b"", {})
                return
            self._answer(202, b"", {"Location": f"{remote.uploads_at}/v2/{repository}/blobs/uploads/7?state=a%2Fb"})
        else:
            digest = query["digest"]
            if digest in remote.cuts:
                self.rfile.read(remote.cuts.pop(digest))
                self.close_connection = True
                return
            data = self._read_body()
            if digest_of(data) != digest:
                self._error(400, "DIGEST_INVALID")
                return
            remote.blobs[repository, digest] = data
            remote.uploads[repository] += 1
            self._answer(201, b"", {})

    def _read_body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _error(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps({"errors": [{"code": code, "message": "of the test"}]}).encode()
        self._answer(status, body, headers)

    def _answer(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, cut: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        if self.remote.drips:
            for _ in range(100):
                self.flush_headers()
                self.wfile.flush()
                time.sleep(self.remote.drips)
                self.send_header("X-Slow", "1")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        self.close_connection = self.close_connection or cut is not None


def basic(user: str, password: str) -> str:
    """The header of a user."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
