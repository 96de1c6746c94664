"""Clients that push, overwrite and delete in a real registry without pause, and know what has to be there at the end.

They run as a program of their own, so that they take no time from what is tested. `churn.py URL SEED`
says when there is something, and works until its stdin ends. Then it reads every tag byte for byte and prints an
`Outcome` as JSON.

A client does as docker does: it asks for each layer with HEAD, sends those that the registry lacks, then the manifest.
The layers come from one pool, so that each leaves and comes back all the time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import urllib3

CLIENTS = 3
_LAYERS = 60
_LARGEST_LAYER = 20_000
_TAGS = 6
"""Of each client in each of its repositories."""
_FIRST = 30
"""The pushes after which there is something to collect."""
_ATTEMPTS = 50
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_APPENDING = threading.Lock()
_REFUSALS = ("BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "MANIFEST_BLOB_UNKNOWN", "BLOB_UPLOAD_UNKNOWN", "UNKNOWN")


@dataclass
class Outcome:
    """What clients saw."""

    pushes: int = 0
    """Those that the registry took in the end."""
    refused: dict[str, int] = field(default_factory=dict)
    """How often the registry said no, by its code; the push began anew."""
    connection_errors: int = 0
    deletions: int = 0
    seconds: list[float] = field(default_factory=list)
    """Of each push of an image, with all that was done anew."""
    sent: list[int] = field(default_factory=list)
    """Of each of these pushes, how many layers the registry did not have."""
    tags: int = 0
    """Those that have to be there at the end."""
    broken: list[str] = field(default_factory=list)
    """What is not there as it was pushed."""
    moments: list[float] = field(default_factory=list)
    """Seconds for which a tag that was there already was not whole."""


@dataclass
class _Expected:
    """A tag that has to be there."""

    digest: str
    more: list[str] = field(default_factory=list)
    """Digests of the manifests that its client pushed along with it."""


class _RefusedError(Exception):
    """The registry said no; the push begins anew."""


class _Client:
    def __init__(self, url: str, number: int, seed: int, outcome: Outcome) -> None:
        self._pool = urllib3.connectionpool.connection_from_url(url, retries=False, timeout=30)
        self._number = number
        self._random = random.Random(seed * 100 + number)
        self._outcome = outcome
        self.expected: dict[tuple[str, str], _Expected] = {}
        self._sent = 0
        self.recent: deque[tuple[str, str, str]] = deque(maxlen=2)

    def work(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            repository = self._random.choice((f"shared/{self._random.randrange(2)}", f"own/{self._number}"))
            tag = f"{self._number}-{self._random.randrange(_TAGS)}"
            match self._random.choices(("image", "signed", "index", "delete", "empty"), (60, 8, 8, 20, 4))[0]:
                case "image":
                    self._sent, began = 0, time.monotonic()
                    self._push(repository, tag)
                    with _APPENDING:
                        self._outcome.seconds.append(time.monotonic() - began)
                        self._outcome.sent.append(self._sent)
                case "signed":
                    self._push(repository, tag, signed=True)
                case "index":
                    self._push_indexes(repository)
                case "delete":
                    self._delete(repository, tag)
                case "empty":
                    for tag_there in [tag for place, tag in self.expected if place == f"own/{self._number}"]:
                        self._delete(f"own/{self._number}", tag_there)

    def verify(self) -> Iterator[str]:
        """What is not there as it was pushed."""
        for (repository, tag), expected in self.expected.items():
            for reference in (tag, *expected.more):
                digest = expected.digest if reference == tag else reference
                for problem in problems(self._pool, repository, reference, digest):
                    yield f"{repository}:{tag}: {problem}"

    def is_whole(self, repository: str, digest: str) -> bool:
        """Whether a manifest and all that it names are there, by their status."""
        answer = self._request("GET", f"{repository}/manifests/{digest}")
        if answer.status != 200:
            return False
        parts = json.loads(answer.data)
        blobs = [part["digest"] for part in (parts.get("config"), *parts.get("layers", ())) if part]
        return all(self._request("HEAD", f"{repository}/blobs/{blob}").status == 200 for blob in blobs)

    def _push(self, repository: str, tag: str, *, signed: bool = False) -> None:
        nonce = self._random.randbytes(8).hex()
        layers = self._layers()

        def push() -> _Expected:
            digest = self._put_image(repository, tag, nonce, layers)
            expected = self.expected[repository, tag] = _Expected(digest)
            self.recent.append((repository, tag, digest))
            if signed:
                # Only a tagged image keeps it, so that it is pushed after that.
                subject = {"mediaType": _MANIFEST, "digest": digest, "size": 1}
                expected.more.append(self._put_image(repository, "", f"{nonce} signed", layers[:1], subject=subject))
            return expected

        self._until_taken(push)

    def _push_indexes(self, repository: str) -> None:
        """Two indexes that share a child; then one of them goes now and then."""
        tags = [f"{self._number}-index-{name}" for name in "ab"]
        nonces = [self._random.randbytes(8).hex() for _ in range(3)]
        layers = [self._layers() for _ in nonces]

        def push() -> None:
            parts = [self._put_image(repository, "", nonce, mine) for nonce, mine in zip(nonces, layers, strict=True)]
            for tag, chosen in zip(tags, (parts[:2], parts[1:]), strict=True):
                children = [{"mediaType": _MANIFEST, "digest": part, "size": 1} for part in chosen]
                index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": children}
                digest = self._put_manifest(repository, tag, index)
                self.expected[repository, tag] = _Expected(digest)

        self._until_taken(push)
        if self._random.random() < 0.3:
            self._delete(repository, tags[0])

    def _until_taken(self, push: Any) -> None:
        for _ in range(_ATTEMPTS):
            try:
                push()
            except _RefusedError as exc:
                code = str(exc)
                self._outcome.refused[code] = self._outcome.refused.get(code, 0) + 1
            except urllib3.exceptions.HTTPError:
                # The registry is being restarted.
                self._outcome.connection_errors += 1
                time.sleep(0.05)
            else:
                self._outcome.pushes += 1
                return
        raise SystemExit(f"a push was refused {_ATTEMPTS} times: {self._outcome.refused}")

    def _delete(self, repository: str, tag: str) -> None:
        if expected := self.expected.pop((repository, tag), None):
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                self._request("DELETE", f"{repository}/manifests/{expected.digest}")
            self._outcome.deletions += 1

    def _layers(self) -> list[bytes]:
        return [_layer(number) for number in self._random.sample(range(_LAYERS), self._random.randint(1, 4))]

    def _put_image(
        self, repository: str, tag: str, nonce: str, layers: Sequence[bytes], subject: dict[str, Any] | None = None
    ) -> str:
        config = json.dumps({"os": "linux", "architecture": "amd64", "nonce": nonce}).encode()
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._ensure(repository, config, _CONFIG),
            "layers": [self._ensure(repository, layer, _LAYER) for layer in layers],
        }
        return self._put_manifest(repository, tag, manifest | ({"subject": subject} if subject else {}))

    def _put_manifest(self, repository: str, tag: str, manifest: dict[str, Any]) -> str:
        data = json.dumps(manifest).encode()
        digest = _digest(data)
        if tag:
            # From now on the tag may be either; a push goes on until it is this one.
            self.expected.pop((repository, tag), None)
        headers = {"Content-Type": manifest["mediaType"]}
        answer = self._request("PUT", f"{repository}/manifests/{tag or digest}", body=data, headers=headers)
        self._check(answer, 201)
        return digest

    def _ensure(self, repository: str, data: bytes, media_type: str) -> dict[str, Any]:
        digest = _digest(data)
        if self._request("HEAD", f"{repository}/blobs/{digest}").status != 200:
            upload = self._request("POST", f"{repository}/blobs/uploads/")
            self._check(upload, 202)
            put = self._pool.request(
                "PUT",
                f"{upload.headers['Location']}&digest={digest}",
                body=data,
                headers={"Content-Type": "application/octet-stream"},
            )
            self._check(put, 201)
            self._sent += media_type == _LAYER
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def _request(self, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": f"{_MANIFEST}, {_INDEX}", **options.pop("headers", {})}
        return self._pool.request(method, f"/v2/{path}", headers=headers, **options)

    @staticmethod
    def _check(answer: urllib3.BaseHTTPResponse, status: int) -> None:
        if answer.status != status:
            codes = {error["code"] for error in json.loads(answer.data or b"{}").get("errors", ())}
            known = [code for code in _REFUSALS if code in codes]
            if not known:
                raise SystemExit(f"{answer.status} {answer.data!r}")
            raise _RefusedError(known[0])


@dataclass
class Churn:
    """Clients at work, in a process of their own."""

    process: subprocess.Popen[str]

    def end(self) -> Outcome:
        """Let them stop and read all their tags; returns what they saw."""
        said, errors = self.process.communicate(timeout=300)
        assert self.process.returncode == 0, errors
        return Outcome(**json.loads(said))


@contextlib.contextmanager
def churning(url: str, *, seed: int = 1) -> Iterator[Churn]:
    """Let clients work on a registry."""
    command = [sys.executable, str(Path(__file__)), url, str(seed)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            # It says "ready".
            process.stdout.readline()
            yield Churn(process)
        finally:
            process.kill()


def problems(
    pool: urllib3.connectionpool.HTTPConnectionPool, repository: str, reference: str, digest: str
) -> Iterator[str]:
    """What is not there, byte for byte, of a manifest and of all that it names."""
    data = _get(pool, f"{repository}/manifests/{reference}").data
    if _digest(data) != digest:
        yield f"{reference} is {data[:200]!r}, not {digest}"
        return
    manifest = json.loads(data)
    for child in manifest.get("manifests", ()):
        yield from problems(pool, repository, child["digest"], child["digest"])
    for part in filter(None, (manifest.get("config"), *manifest.get("layers", ()))):
        try:
            answer = _get(pool, f"{repository}/blobs/{part['digest']}")
        except urllib3.exceptions.HTTPError as exc:
            # With its cache, a registry says 200 and the length of what is gone, and sends nothing.
            yield f"{part['digest']} of {digest} breaks off: {exc}"
            continue
        if _digest(answer.data) != part["digest"]:
            yield f"{part['digest']} of {digest} is {answer.status} {answer.data[:100]!r}"


def _get(pool: urllib3.connectionpool.HTTPConnectionPool, path: str) -> urllib3.BaseHTTPResponse:
    return pool.request("GET", f"/v2/{path}", headers={"Accept": f"{_MANIFEST}, {_INDEX}"})


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _layer(number: int) -> bytes:
    chance = random.Random(number)
    return chance.randbytes(chance.randrange(1000, _LARGEST_LAYER))


def _watch(client: _Client, clients: Sequence[_Client], outcome: Outcome, stop: threading.Event) -> None:
    """Measure how long tags are not whole that were pushed a moment ago."""
    since: dict[tuple[str, str, str], float] = {}
    while not stop.is_set():
        for tagged in [tagged for worker in clients for tagged in list(worker.recent)]:
            repository, tag, digest = tagged
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                is_whole = client.is_whole(repository, digest)
                current = [worker.expected.get((repository, tag)) for worker in clients]
                if is_whole or not any(found and found.digest == digest for found in current):
                    # A tag that was overwritten or deleted meanwhile need not be whole.
                    began = since.pop(tagged, None)
                    if is_whole and began:
                        outcome.moments.append(time.monotonic() - began)
                else:
                    since.setdefault(tagged, time.monotonic())
        time.sleep(0.01)


def main(url: str, seed: int) -> None:
    """Work until stdin ends."""
    outcome, stop = Outcome(), threading.Event()
    clients = [_Client(url, number, seed, outcome) for number in range(CLIENTS)]
    failures: list[BaseException] = []

    def work(client: _Client) -> None:
        try:
            client.work(stop)
        except BaseException as exc:  # noqa: BLE001 -- raised again below
            failures.append(exc)

    watcher = _Client(url, CLIENTS, seed, outcome)
    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    threads.append(threading.Thread(target=_watch, args=(watcher, clients, outcome, stop)))
    for thread in threads:
        thread.start()
    while outcome.pushes < _FIRST and not failures:
        time.sleep(0.01)
    print("ready", flush=True)  # noqa: T201 -- the other process waits for it
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    for client in clients:
        outcome.tags += len(client.expected)
        outcome.broken += client.verify()
    json.dump(asdict(outcome), sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
