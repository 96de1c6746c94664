"""The events that engines really sent, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from localreg.engines.common.events import iter_load, iter_pull, iter_push
from localreg.engines.podman.events import iter_pull_with_bytes, iter_transfer
from localreg.engines.values import Progress, TransferState
from localreg.errors import (
    EngineError,
    ImageNotFoundError,
    InvalidArchiveError,
    LocalregError,
    RegistryError,
    RegistryUnreachableError,
)

DIGEST = "sha256:" + "a" * 64
NAME = "localhost:5000/app:1"


def lines(*events: Mapping[str, Any]) -> list[bytes]:
    return [json.dumps(event).encode() for event in events]


def test_a_push_of_the_classic_image_store() -> None:
    events: list[Mapping[str, Any]] = [
        {"status": "The push refers to repository [localhost:5000/app]"},
        {"status": "Preparing", "progressDetail": {}, "id": "58c958d3261b"},
        {"status": "Pushing", "progressDetail": {"current": 33280, "total": 1000000}, "id": "58c958d3261b"},
        {"status": "Pushing", "progressDetail": {"current": 1003520, "total": 1000000}, "id": "58c958d3261b"},
        {"status": "Pushed", "progressDetail": {}, "id": "58c958d3261b"},
        {"status": "Layer already exists", "progressDetail": {}, "id": "0123456789ab"},
        {"status": f"1: digest: {DIGEST} size: 950"},
        {"progressDetail": {}, "aux": {"Tag": "1", "Digest": DIGEST, "Size": 950}},
    ]
    assert list(iter_push(events, NAME)) == [
        Progress("58c958d3261b", TransferState.WAITING),
        Progress("58c958d3261b", TransferState.RUNNING, 33280, 1000000),
        Progress("58c958d3261b", TransferState.RUNNING, 1000000, 1000000),
        Progress("58c958d3261b", TransferState.DONE),
        Progress("0123456789ab", TransferState.EXISTS),
        Progress(digest=DIGEST, state=TransferState.DONE),
        Progress(digest=DIGEST, state=TransferState.DONE),
    ]


@pytest.mark.parametrize("read", [iter_push, iter_pull])
def test_what_repeats_itself_is_no_movement(
    read: Callable[[list[Mapping[str, Any]], str], Iterator[Progress]],
) -> None:
    waiting = [{"status": "Waiting", "id": layer} for layer in ("58c958d3261b", "0123456789ab")]
    moving = {"status": "Downloading", "progressDetail": {"current": 1, "total": 9}, "id": "58c958d3261b"}
    assert list(read([*waiting, *waiting, *waiting, moving, moving, waiting[0]], NAME)) == [
        Progress("58c958d3261b", TransferState.WAITING),
        Progress("0123456789ab", TransferState.WAITING),
        Progress("58c958d3261b", TransferState.RUNNING, 1, 9),
        Progress("58c958d3261b", TransferState.WAITING),
    ]


def test_a_push_of_containerds_image_store_has_its_digest_in_a_sentence() -> None:
    events: list[Mapping[str, Any]] = [
        {"status": "Mounted from other", "id": "58c958d3261b"},
        {"aux": {"manifestPushedInsteadOfIndex": True}},
        {"status": f"1: digest: {DIGEST} size: 950"},
    ]
    assert [step.digest for step in iter_push(events, NAME)] == [None, DIGEST]


def test_a_push_of_one_image_of_an_index_says_so() -> None:
    about = {"manifestPushedInsteadOfIndex": True, "originalIndex": {"digest": "sha256:" + "a" * 64}}
    events: list[dict[str, Any]] = [{"progressDetail": {}, "aux": about}, {"status": f"1: digest: {DIGEST} size: 1"}]
    first, last = iter_push(events, NAME)
    assert (first.layer, first.index, last.digest) == (None, "sha256:" + "a" * 64, DIGEST)


def test_the_digest_of_a_manifest_list_is_that_of_the_push() -> None:
    lines = [
        {"Id": "", "stream": "Copying 2 images generated from 2 images in list\n"},
        {"Id": "", "stream": f"Copying blob sha256:{'b' * 64}\n"},
        {"Id": DIGEST},
    ]
    steps = list(iter_transfer([json.dumps(line).encode() for line in lines], NAME))
    assert [(step.layer, step.digest) for step in steps] == [("b" * 12, None), (None, DIGEST), ("b" * 12, None)]


def test_a_push_that_is_tried_again() -> None:
    events = [
        {"status": "Retrying in 5 seconds", "progressDetail": {}, "id": "58c958d3261b"},
        {"status": "Pushing", "progressDetail": {"current": 5, "total": 10}, "id": "58c958d3261b"},
    ]
    assert [step.state for step in iter_push(events, NAME)] == [TransferState.RETRYING, TransferState.RUNNING]


def test_a_pull() -> None:
    events: list[Mapping[str, Any]] = [
        {"status": "Pulling from app", "id": "1"},
        {"status": "Downloading", "progressDetail": {"current": 5, "total": 10}, "id": "58c958d3261b"},
        {"status": "Extracting", "progressDetail": {}, "id": "58c958d3261b"},
        {"status": "Pull complete", "progressDetail": {}, "id": "58c958d3261b"},
        {"status": f"Digest: {DIGEST}"},
        {"status": "Status: Downloaded newer image"},
    ]
    steps = list(iter_pull(events, NAME))
    assert [step.layer for step in steps] == ["58c958d3261b"] * 3 + [None]
    assert steps[-1].digest == DIGEST


def test_podman_says_names_and_no_bytes() -> None:
    said = lines(
        {"stream": "Getting image source signatures\n"},
        {"stream": f"Copying blob sha256:{'b' * 64}\n"},
        {"stream": f"Copying blob {'c' * 12} skipped: already exists\n"},
        {"stream": f"Copying config {DIGEST}\n"},
        {"manifestdigest": DIGEST},
    )
    steps = list(iter_transfer([*said, b""], NAME))
    assert steps == [
        Progress("b" * 12, TransferState.RUNNING),
        Progress("c" * 12, TransferState.EXISTS),
        Progress(digest=DIGEST, state=TransferState.DONE),
        Progress("b" * 12, TransferState.DONE),
    ]


def test_podmans_pull_with_bytes_ends_each_layer_with_its_download() -> None:
    said = lines(
        {"status": "Already exists", "progressDetail": {}, "id": "014f18765107"},
        {"status": "Pulling fs layer", "progressDetail": {}, "id": "b" * 12},
        {"status": "Downloading", "progressDetail": {"current": 5, "total": 10}, "progress": "=>", "id": "b" * 12},
        {"status": "Download complete", "progressDetail": {}, "id": "b" * 12},
        {"status": "Pulling fs layer", "progressDetail": {}, "id": "84bf64976ac6"},
        {"status": "Download complete", "progressDetail": {}, "id": "84bf64976ac6"},
        {"status": "Download complete", "progressDetail": {}, "id": "84bf64976ac6"},
    )
    assert list(iter_pull_with_bytes([*said, b""], NAME)) == [
        Progress("014f18765107", TransferState.EXISTS),
        Progress("b" * 12, TransferState.WAITING),
        Progress("b" * 12, TransferState.RUNNING, 5, 10),
        Progress("b" * 12, TransferState.DONE),
        Progress("84bf64976ac6", TransferState.WAITING),
        Progress("84bf64976ac6", TransferState.DONE),
    ]
    with pytest.raises(ImageNotFoundError):
        list(iter_pull_with_bytes(lines({"errorDetail": {"message": "manifest unknown"}, "error": "x"}), NAME))


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("An image does not exist locally with the tag: localhost:5000/app", ImageNotFoundError),
        ("nope: image not known", ImageNotFoundError),
        ("tag does not exist: localhost:5000/app:1", ImageNotFoundError),
        ("net/http: timeout awaiting response headers", RegistryUnreachableError),
        ("manifest for localhost:5000/app:1 not found: manifest unknown: manifest unknown", ImageNotFoundError),
        ("dial tcp 127.0.0.1:5000: connect: connection refused", RegistryUnreachableError),
        ("proxyconnect tcp: dial tcp 127.0.0.1:3128: connect: connection refused", RegistryUnreachableError),
        ("dial tcp: lookup registry-1.docker.io on 10.0.0.1:53: no such host", RegistryUnreachableError),
        ("toomanyrequests: You have reached your pull rate limit", RegistryError),
        ("received unexpected HTTP status: 500 Internal Server Error", RegistryError),
        ("http: server gave HTTP response to HTTPS client", RegistryError),
        ("pinging container registry: invalid status code from registry 500 (Internal Server Error)", RegistryError),
        ("failed to read from destination repository x: 507 (Insufficient Storage)", RegistryError),
        ("failed to read from destination repository x: 403 (Forbidden)", RegistryError),
        ("reading manifest 1 in localhost:5000/x: denied", RegistryError),
        ("initializing image from source docker://x:1: invalid character '<' looking for beginning", RegistryError),
        ("open /var/lib/containers/storage/overlay-images/images.lock: permission denied", EngineError),
        ("no basic auth credentials", RegistryError),
        ("unauthorized: authentication required", RegistryError),
        ("unsupported: The operation is unsupported.", RegistryError),
        ("received unexpected HTTP status: 405 Method Not Allowed", RegistryError),
        ("Client sent an HTTP request to an HTTPS server.", RegistryError),
        ('Get "https://192.0.2.7:5000/v2/": x509: certificate signed by unknown authority', RegistryError),
        ("x509: a root or intermediate certificate is not authorized to sign for this name: DNS name", RegistryError),
        ("no matching manifest for linux/amd64 in the manifest list entries", ImageNotFoundError),
        ("unsupported media type application/vnd.oci.empty.v1+json", ImageNotFoundError),
        ('adding layer with blob "sha256:1": ApplyLayer stdout:  stderr: unexpected EOF exit status 1', EngineError),
        ('adding layer with blob "sha256:1"/"": unpacking failed (output: unexpected EOF)', EngineError),
        ("unexpected EOF", RegistryUnreachableError),
        ("something nobody has heard of", EngineError),
    ],
)  # fmt: skip
def test_an_error_inside_a_stream_is_an_error(message: str, error: type[LocalregError]) -> None:
    for events in ([{"errorDetail": {"message": message}, "error": message}], [{"error": message}]):
        with pytest.raises(error) as caught:
            list(iter_push(events, NAME))
        assert type(caught.value) is error
        assert caught.value.details == (message,)
        with pytest.raises(error):
            list(iter_transfer(lines(events[-1]), NAME))


def test_what_was_loaded_is_named() -> None:
    assert list(iter_load([{"stream": "Loaded image: app:1\n"}, {"stream": f"Loaded image ID: {DIGEST}\n"}])) == [
        "app:1",
        DIGEST,
    ]
    with pytest.raises(InvalidArchiveError):
        list(iter_load([{"errorDetail": {"message": "unexpected EOF"}}]))


@pytest.mark.parametrize(
    ("message", "blamed"),
    [
        ("no basic auth credentials", "login"),
        ("unsupported: The operation is unsupported.", "cache"),
        ("unsupported", "cache"),
        ("writing blob: initiating layer upload to /v2/app/blobs/uploads/ in localhost:5000: unsupported", "cache"),
        ("filesystem layer verification failed for digest sha256:1", "broken"),
        ("reading blob sha256:1: Digest did not match, expected sha256:1, got sha256:2", "broken"),
        ("unsupported media type application/vnd.in-toto+json", "not an image"),
        ('parsing image configuration: unsupported image-specific operation on artifact with type "x"', "not an image"),
        ("no matching manifest for linux/arm64/v8 in the manifest list entries", "platform"),
        ("Client sent an HTTP request to an HTTPS server.", "TLS"),
        ("server gave HTTP response to HTTPS client", "plain HTTP"),
    ],
)
def test_the_one_to_blame_is_named(message: str, blamed: str) -> None:
    with pytest.raises(LocalregError) as caught:
        list(iter_push([{"error": message}], NAME))
    assert blamed in caught.value.message
    assert "localhost:5000" in caught.value.message
