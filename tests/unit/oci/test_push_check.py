"""Whether a registry takes pushes at all."""

from __future__ import annotations

import pytest
from support.registries.fake import FakeRegistry

from localreg.errors import RegistryUnreachableError
from localreg.oci.api import RegistryClient
from localreg.oci.push_check import find_push_refusal
from localreg.oci.refusal import PushRefusal

CACHE = b'{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}\n'
READ_ONLY = b"Method not allowed\n"


def refusal_of(registry: FakeRegistry, repository: str) -> PushRefusal | None:
    with RegistryClient(registry.base_url) as client:
        return find_push_refusal(client, repository)


@pytest.mark.parametrize(("body", "refusal"), [(CACHE, PushRefusal.CACHE), (READ_ONLY, PushRefusal.READ_ONLY)])
def test_the_body_tells_a_cache_from_a_read_only_registry(
    registry: FakeRegistry, body: bytes, refusal: PushRefusal
) -> None:
    registry.refuses_pushes = body
    assert refusal_of(registry, "team/app") is refusal


def test_one_that_takes_pushes_is_asked_once_and_begins_no_upload(registry: FakeRegistry) -> None:
    assert refusal_of(registry, "team/app") is None
    ((path, times),) = registry.requests.items()
    assert (path.startswith("PUT /v2/team/app/manifests/sha256:"), times) == (True, 1)


def test_one_that_requires_a_login_may_take_them(registry: FakeRegistry) -> None:
    registry.needs_login = True
    assert refusal_of(registry, "app") is None


def test_one_that_speaks_tls_is_named(registry: FakeRegistry) -> None:
    registry.faults["/v2/"] = "tls"
    with pytest.raises(RegistryUnreachableError, match="TLS"):
        refusal_of(registry, "app")
