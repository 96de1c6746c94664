from __future__ import annotations

import gzip
import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import SimpleNamespace
from typing import TypeVar

import pytest
from support.registries.fake import FakeRegistry

from localreg.errors import RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient

T = TypeVar("T")

PATIENCE = 30.0
"""More than a busy machine needs, and less than the slowest answers of the fake registry take."""


def patiently(act: Callable[[], T]) -> T:
    """What `act` comes to; a failure, not a test that never ends, where it waits for ever."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(act())
        except Exception as exc:  # noqa: BLE001 -- handed to the one who waits
            done.set_exception(exc)

    threading.Thread(target=run, daemon=True).start()
    return done.result(PATIENCE)


def test_every_page_of_the_catalog_is_read(registry: FakeRegistry) -> None:
    registry.tags = {f"team/app-{number:05}": {} for number in range(2345)}
    with RegistryClient(registry.base_url) as client:
        assert list(client.iter_repositories()) == sorted(registry.tags)
    assert registry.requests["/v2/_catalog"] == 3


def test_an_emptied_repository_has_no_tags(registry: FakeRegistry) -> None:
    registry.tags = {"empty": None}
    with RegistryClient(registry.base_url) as client:
        assert client.list_tags("empty") == []


def test_a_thread_that_is_still_at_work_opens_no_connection_once_they_are_closed(registry: FakeRegistry) -> None:
    registry.tags = {"app": {}}
    with RegistryClient(registry.base_url) as client:
        client.list_tags("app")
    with RegistryClient(registry.base_url) as unused:
        pass
    registry.requests.clear()
    for closed in (client, unused):
        with pytest.raises(RegistryUnreachableError):
            closed.list_tags("app")
    assert not registry.requests


def test_what_is_not_there_is_not_found(registry: FakeRegistry) -> None:
    with RegistryClient(registry.base_url) as client:
        with pytest.raises(RepositoryNotFoundError, match="`nosuch`"):
            client.list_tags("nosuch")
        with pytest.raises(RepositoryNotFoundError, match="`nosuch:1`"):
            client.get_manifest("nosuch", "1")
        with pytest.raises(RepositoryNotFoundError, match="`nosuch:1`"):
            client.head_manifest("nosuch", "1")
        with pytest.raises(RepositoryNotFoundError):
            client.get_blob("nosuch", f"sha256:{'0' * 64}")


def test_a_manifest_comes_with_its_digest(registry: FakeRegistry) -> None:
    digest = registry.put_image("app:1")
    with RegistryClient(registry.base_url) as client:
        assert client.get_manifest("app", "1").digest == digest
        assert client.head_manifest("app", "1").digest == digest
        assert client.get_manifest("app", digest).data == registry.manifests[digest][1]


def test_bytes_that_are_not_what_their_digest_says_are_refused(registry: FakeRegistry) -> None:
    registry.faults["/v2/app/manifests/1"] = "wrong"
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError, match=f"sha256:{'0' * 64}"):
        client.get_manifest("app", "1")


def test_the_registrys_own_code_is_kept(registry: FakeRegistry) -> None:
    registry.faults["/v2/_catalog"] = "500"
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError) as caught:
        list(client.iter_repositories())
    assert (caught.value.status, caught.value.registry_code) == (500, "UNKNOWN")
    assert caught.value.details == ("UNKNOWN: of the test",)


def not_a_registry(registry: FakeRegistry) -> RegistryError:
    """The error for a catalog that is answered with 200 and is not a list of repositories."""
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError, match=registry.base_url) as caught:
        list(client.iter_repositories())
    assert caught.value.status == 200
    return caught.value


def test_a_web_page_is_no_registry(registry: FakeRegistry) -> None:
    registry.faults["/v2/_catalog"] = "html"
    assert not_a_registry(registry).details == ("<html>a login page</html>",)


@pytest.mark.parametrize("fault", ["hang", "drip", "slow-headers"])
def test_a_registry_that_does_not_get_on_with_it_is_given_up(registry: FakeRegistry, fault: str) -> None:
    registry.faults["/v2/_catalog"] = fault
    with (
        RegistryClient(registry.base_url, timeout=0.3) as client,
        pytest.raises(RegistryUnreachableError, match=r"\b0\.3\b"),
    ):
        patiently(lambda: list(client.iter_repositories()))


def test_the_time_is_for_one_answer_not_for_the_connection(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("localreg.oci.deadline.time", SimpleNamespace(monotonic=lambda: now))
    registry.tags = {"app": {}}
    with RegistryClient(registry.base_url, timeout=30, connections=1) as client:
        for _ in range(3):
            assert list(client.iter_repositories()) == ["app"]
            now += 20
    assert registry.connections == 1


def test_an_answer_that_breaks_off_is_an_error(registry: FakeRegistry) -> None:
    registry.faults["/v2/_catalog"] = "cut"
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError) as caught:
        list(client.iter_repositories())
    # The registry was reached, and an answer that breaks off has no status.
    assert (type(caught.value), caught.value.status) == (RegistryError, None)


def test_a_connection_that_is_closed_without_an_answer_is_said(registry: FakeRegistry) -> None:
    registry.faults["/v2/_catalog"] = "gone"
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryUnreachableError, match=registry.base_url):
        list(client.iter_repositories())


def test_an_answer_without_end_is_not_read_to_its_end(registry: FakeRegistry) -> None:
    registry.faults["/v2/app/manifests/1"] = "endless"
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError, match=r"\b4 MiB\b"):
        client.get_manifest("app", "1")


def test_an_answer_that_was_given_up_leaves_its_connection_to_the_next(registry: FakeRegistry) -> None:
    digest = registry.put_image("app:good")
    with RegistryClient(registry.base_url, connections=1, timeout=5) as client:
        for fault in ("endless", "cut", "gone"):
            registry.faults["/v2/app/manifests/bad"] = fault
            with pytest.raises(RegistryError):
                patiently(lambda: client.get_manifest("app", "bad"))
            assert patiently(lambda: client.get_manifest("app", "good")).digest == digest


def test_what_was_not_asked_to_be_compressed_is_not_unpacked(registry: FakeRegistry) -> None:
    bomb = gzip.compress(b" " * (64 << 20))
    registry.answers["/v2/_catalog"] = (bomb, {"Content-Encoding": "gzip"})
    assert not_a_registry(registry).details[0].startswith("\x1f\\x8b")


@pytest.mark.parametrize(
    ("fault", "status", "details"),
    # A request for a login carries none of the registry's own words.
    [("401", 401, ()), ("503", 503, ("UNKNOWN: of the test",))],
)
def test_a_refusal_keeps_its_status(registry: FakeRegistry, fault: str, status: int, details: tuple[str, ...]) -> None:
    registry.faults["/v2/_catalog"] = fault
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError) as caught:
        list(client.iter_repositories())
    assert (caught.value.status, caught.value.details) == (status, details)
    assert registry.requests["/v2/_catalog"] == 1


@pytest.mark.parametrize(
    "body", [b"", b"7", b"null", b'{"repositories": 7}', b'{"repositories": "app"}', b"\xff", b"[" * 99_999]
)
def test_what_is_no_catalog_is_an_error_of_ours(registry: FakeRegistry, body: bytes) -> None:
    registry.answers["/v2/_catalog"] = (body, {})
    assert not_a_registry(registry).details


@pytest.mark.parametrize(
    "link", ["/v2/_catalog?last=a&n=1000", "http://registry:5000/v2/_catalog?last=a&n=1000", "_catalog?last=a&n=1000"]
)
def test_a_list_that_goes_in_circles_ends(registry: FakeRegistry, link: str) -> None:
    registry.answers["/v2/_catalog"] = (b'{"repositories": ["a"]}', {"Link": f'<{link}>; rel="next"'})
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError, match=re.escape(link)):
        list(client.iter_repositories())
    assert registry.requests == {"/v2/_catalog": 2}


def test_a_page_that_says_its_links_absolutely_is_followed_here(registry: FakeRegistry) -> None:
    registry.tags = {f"app-{number:04}": {} for number in range(1500)}
    registry.link_base = "http://registry.invalid:5000"
    with RegistryClient(registry.base_url) as client:
        assert len(list(client.iter_repositories())) == 1500


def test_a_digest_answered_with_another_manifest_is_refused(registry: FakeRegistry) -> None:
    asked, other = registry.put_image(platform="linux/arm64"), registry.put_image()
    media_type, data = registry.manifests[other]
    headers = {"Content-Type": media_type, "Docker-Content-Digest": other}
    registry.answers[f"/v2/app/manifests/{asked}"] = (data, headers)
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError, match=asked):
        client.get_manifest("app", asked)


def test_nobody_listening_is_said() -> None:
    url = "http://127.0.0.1:1"
    with RegistryClient(url) as client, pytest.raises(RegistryUnreachableError, match=url):
        list(client.iter_repositories())


def test_no_proxy_is_asked(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    registry.tags = {"app": {}}
    with RegistryClient(registry.base_url) as client:
        assert list(client.iter_repositories()) == ["app"]
