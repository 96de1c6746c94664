"""A registry in this process: what it stores is a dictionary, and it can be told to misbehave."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import ssl
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from localreg.oci.manifest import OCI_INDEX, OCI_MANIFEST

CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class FakeRegistry:
    """Stores manifests and blobs, counts requests, and fails on demand.

    Attributes:
        base_url: Where it listens.
        requests: How often each path was asked for.
        connections: How many were made.
        faults: Path to what happens instead of an answer: a status, `absent`, `busy` (500, once), `html`, `nested`,
            `hang`, `drip`, `slow-headers`, `cut`, `endless`, `loop` (to itself), `gone` (no HTTP at all), `tls` (what a
            server for TLS answers) or `wrong` (other bytes than the digest says).
        refuses_pushes: The body of the 405 for every push and removal; None if pushes are taken. It never deletes.
        needs_login: Everything is 401, but with `login`.
        login: The user and the password with a `:` between them that it accepts; None for none.
        link_base: What stands before the path of the next page's link.
        answers: Path to a body to answer with, and to headers beside it.
        stores_in: The folder with repositories that uploads show up in, and leave empty folders in.
    """

    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}"
        self.requests: Counter[str] = Counter()
        self.connections = 0
        self.faults: dict[str, str] = {}
        self.refuses_pushes: bytes | None = None
        self.needs_login = False
        self.login: str | None = None
        self.link_base = ""
        self.answers: dict[str, tuple[bytes, dict[str, str]]] = {
            "/v2/": (b"{}", {"Docker-Distribution-Api-Version": "registry/2.0"})
        }
        self.stores_in: Path | None = None
        self.tags: dict[str, dict[str, str] | None] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.ended = threading.Event()
        self.server: ThreadingHTTPServer | None = None

    def secure(self, context: ssl.SSLContext | None) -> None:
        """Speak TLS from the next connection on, or plain HTTP again."""
        assert self.server is not None
        bare = socket.socket(fileno=self.server.socket.detach())
        secured = context and context.wrap_socket(bare, server_side=True, do_handshake_on_connect=False)
        self.server.socket = secured or bare

    def put_blob(self, data: bytes) -> tuple[str, int]:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        return digest, len(data)

    def put_manifest(self, manifest: Mapping[str, Any], media_type: str, *, at: str = "") -> str:
        """Store a manifest, under `repository:tag` if one is named; returns its digest."""
        data = json.dumps(manifest).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.manifests[digest] = (media_type, data)
        if at:
            repository, _, tag = at.partition(":")
            tags = self.tags.setdefault(repository, {})
            assert tags is not None
            tags[tag] = digest
        return digest

    def put_image(
        self,
        at: str = "",
        *,
        created: str = "2026-01-01T00:00:00Z",
        platform: str = "linux/amd64",
        layers: Sequence[bytes] = (b"layer",),
        media_type: str = OCI_MANIFEST,
    ) -> str:
        """Store an image; returns its digest."""
        system, architecture, *variant = platform.split("/")
        config = {"os": system, "architecture": architecture, "created": created}
        config_digest, config_size = self.put_blob(
            json.dumps({**config, **({"variant": variant[0]} if variant else {})}).encode()
        )
        descriptors = [self.put_blob(layer) for layer in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": {"mediaType": CONFIG, "digest": config_digest, "size": config_size},
            "layers": [{"mediaType": LAYER, "digest": digest, "size": size} for digest, size in descriptors],
        }
        return self.put_manifest(manifest, media_type, at=at)

    def put_index(self, children: Sequence[Mapping[str, Any]], *, at: str = "", media_type: str = OCI_INDEX) -> str:
        """Store an index; returns its digest."""
        return self.put_manifest(
            {"schemaVersion": 2, "mediaType": media_type, "manifests": children}, media_type, at=at
        )


def child(digest: str, platform: str | None = None, media_type: str = OCI_MANIFEST) -> dict[str, Any]:
    """A descriptor for an index."""
    found: dict[str, Any] = {"mediaType": media_type, "digest": digest, "size": 100}
    if platform:
        system, architecture, *variant = platform.split("/")
        found["platform"] = {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}
    return found


@contextlib.contextmanager
def fake_registry() -> Iterator[FakeRegistry]:
    """A registry that listens for as long as the context lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    registry = FakeRegistry(server.server_port)
    registry.server = server
    server.registry = registry  # type: ignore[attr-defined]  # how a handler reaches it
    nowhere = tempfile.TemporaryDirectory()
    server.nowhere = nowhere.name  # type: ignore[attr-defined]  # as above
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield registry
    finally:
        registry.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
        nowhere.cleanup()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # The head and the body of an answer are two packets: the second must not wait until the first is acknowledged.
    disable_nagle_algorithm = True

    @property
    def registry(self) -> FakeRegistry:
        return self.server.registry  # type: ignore[attr-defined,no-any-return]  # set by `fake_registry`

    def setup(self) -> None:
        super().setup()
        self.registry.connections += 1

    def handle(self) -> None:
        # Who asks may hang up before everything is read; a server would tell that on stderr.
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            super().handle()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 -- the base class's name
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        self.registry.requests[parts.path] += 1
        fault = self.registry.faults.get(parts.path)
        if self._lacks_login():
            self._unauthorized()
            return
        if self.registry.faults.get("/v2/") == "tls":
            self._tls()
            return
        if fault is not None:
            self._fail(fault)
            return
        if parts.path in self.registry.answers:
            self._answer(200, *self.registry.answers[parts.path])
        elif parts.path == "/v2/_catalog":
            self._catalog(parse_qs(parts.query))
        elif parts.path.endswith("/tags/list"):
            self._tags(parts.path.removeprefix("/v2/").removesuffix("/tags/list"))
        elif "/manifests/" in parts.path:
            repository, _, reference = parts.path.removeprefix("/v2/").partition("/manifests/")
            digest = (self.registry.tags.get(repository) or {}).get(reference, reference)
            media_type, data = self.registry.manifests.get(digest, ("", b""))
            if not data:
                self._error(404, "MANIFEST_UNKNOWN")
                return
            self._answer(200, data, {"Content-Type": media_type, "Docker-Content-Digest": digest})
        else:
            blob = self.registry.blobs.get(parts.path.rpartition("/")[2])
            self._error(404, "BLOB_UNKNOWN") if blob is None else self._blob(blob)

    def _blob(self, data: bytes) -> None:
        wanted = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range") or "")
        if wanted is None:
            self._answer(200, data)
            return
        last = min(int(wanted[2]), len(data) - 1) if wanted[1] else len(data) - 1
        first = int(wanted[1] or max(0, len(data) - int(wanted[2])))
        if first > last:
            self._answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        else:
            self._answer(206, data[first : last + 1], {"Content-Range": f"bytes {first}-{last}/{len(data)}"})

    def _lacks_login(self) -> bool:
        known = base64.b64encode((self.registry.login or "").encode()).decode()
        has_it = self.registry.login is not None and self.headers.get("Authorization") == f"Basic {known}"
        return self.registry.needs_login and not has_it

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.registry.requests[f"PUT {self.path}"] += 1
        if self._lacks_login():
            self._unauthorized()
        elif self.registry.faults.get("/v2/") == "tls":
            self._tls()
        elif self.registry.refuses_pushes is not None:
            self._answer(405, self.registry.refuses_pushes)
        else:
            self._error(400, "MANIFEST_BLOB_UNKNOWN")

    def do_POST(self) -> None:
        """Begin an upload."""
        place = urlsplit(self.path).path
        if self.registry.refuses_pushes is not None:
            self._answer(405, self.registry.refuses_pushes)
        elif place in self.registry.faults:
            self._fail(self.registry.faults[place])
        else:
            self._hash_states(place).mkdir(parents=True, exist_ok=True)
            (self._hash_states(place) / "0").touch()
            self._answer(202, b"", {"Location": f"{place}of-a-test?_state=x", "Docker-Upload-UUID": "of-a-test"})

    def _hash_states(self, place: str) -> Path:
        folder = self.registry.stores_in or Path(self.server.nowhere)  # type: ignore[attr-defined]  # by `fake_registry`
        return folder / place.removeprefix("/v2/").partition("/blobs/")[0] / "_uploads/of-a-test/hashstates/sha256"

    def do_PATCH(self) -> None:
        self.registry.requests[f"PATCH {urlsplit(self.path).path}"] += 1
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.registry.faults.get("PATCH")
        self._fail(fault) if fault else self._answer(202, b"", {"Location": self.path})

    def do_DELETE(self) -> None:
        if "/blobs/uploads/" in self.path:
            self.registry.requests[f"DELETE {urlsplit(self.path).path}"] += 1
            self._answer(204, b"")
        elif self.registry.refuses_pushes is not None:
            self._answer(405, self.registry.refuses_pushes)
        else:
            self._error(405, "UNSUPPORTED")

    def _unauthorized(self) -> None:
        body = b'{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}'
        headers = {"Docker-Distribution-Api-Version": "registry/2.0", "WWW-Authenticate": 'Basic realm="r"'}
        self._answer(401, body, headers)

    def _tls(self) -> None:
        self.close_connection = True
        self.wfile.write(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")

    def _catalog(self, query: Mapping[str, Sequence[str]]) -> None:
        count = int(query.get("n", ["100"])[0])
        if count > 1000:
            self._error(400, "PAGINATION_NUMBER_INVALID")
            return
        last = query.get("last", [""])[0]
        names = sorted(name for name in self.registry.tags if name > last)
        page, rest = names[:count], names[count:]
        link = (
            {"Link": f'<{self.registry.link_base}/v2/_catalog?last={page[-1]}&n={count}>; rel="next"'} if rest else {}
        )
        self._answer(200, json.dumps({"repositories": page}).encode(), link)

    def _tags(self, repository: str) -> None:
        if repository not in self.registry.tags:
            self._error(404, "NAME_UNKNOWN")
            return
        tags = self.registry.tags[repository]
        self._answer(200, json.dumps({"name": repository, "tags": list(tags) if tags else None}).encode())

    def _fail(self, fault: str) -> None:
        if fault.isdigit():
            self._error(int(fault), "UNKNOWN")
        elif fault == "busy":
            del self.registry.faults[urlsplit(self.path).path]
            self._error(500, "UNKNOWN")
        elif fault == "absent":
            self._error(404, "MANIFEST_UNKNOWN")
        elif fault == "html":
            self._answer(200, b"<html>a login page</html>", {"Content-Type": "text/html"})
        elif fault == "nested":
            self._answer(200, b"[" * 100_000)
        elif fault == "loop":
            self._answer(307, b"", {"Location": self.path})
        elif fault == "wrong":
            self._answer(200, b"{}", {"Content-Type": OCI_MANIFEST, "Docker-Content-Digest": f"sha256:{'0' * 64}"})
        else:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self._trickle(fault)

    def _trickle(self, fault: str) -> None:
        """Answer too slowly, too little, too much, or not at all."""
        if fault == "hang":
            self.registry.ended.wait()
        if fault in ("hang", "gone"):
            return
        length = 10**9 if fault == "endless" else 1000
        headers = b"X-Slow: " if fault == "slow-headers" else b"Content-Length: %d\r\n\r\n" % length
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + headers)
        while not self.registry.ended.is_set():
            self.wfile.write(b"x" * (65536 if fault == "endless" else 1))
            if fault == "cut":
                return
            if fault != "endless":
                time.sleep(0.05)

    def _error(self, status: int, code: str) -> None:
        self._answer(status, json.dumps({"errors": [{"code": code, "message": "of the test"}]}).encode())

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
