from __future__ import annotations

import json

import pytest
from support.registries.fake import FakeRegistry, child

from localreg.errors import RegistryError, RegistryUnreachableError
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import OCI_INDEX

ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")


def put_list(registry: FakeRegistry, subject: str, *digests: str) -> None:
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child(digest) for digest in digests]}
    registry.answers[f"/v2/app/referrers/{subject}"] = (json.dumps(index).encode(), {"Content-Type": OCI_INDEX})


def listed(registry: FakeRegistry) -> dict[str, list[str]]:
    with RegistryClient(registry.base_url) as client:
        found = client.list_referrers("app", [ONE, TWO])
    return {subject: [one.digest for one in several] for subject, several in found.items()}


def test_each_subject_is_asked_for(registry: FakeRegistry) -> None:
    put_list(registry, ONE, TWO)
    put_list(registry, TWO)
    assert listed(registry) == {ONE: [TWO], TWO: []}


@pytest.mark.parametrize("fault", ["404", "405", "501", "absent", "html", "nested", "loop"])
def test_a_registry_without_the_api_is_asked_once(registry: FakeRegistry, fault: str) -> None:
    registry.faults[f"/v2/app/referrers/{ONE}"] = fault
    assert listed(registry) == {}
    assert not registry.requests[f"/v2/app/referrers/{TWO}"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_registry_that_fails_may_have_some(registry: FakeRegistry, status: int) -> None:
    registry.faults[f"/v2/app/referrers/{ONE}"] = str(status)
    with pytest.raises(RegistryError) as caught:
        listed(registry)
    assert caught.value.status == status


def test_a_registry_that_goes_away_is_an_error(registry: FakeRegistry) -> None:
    registry.faults[f"/v2/app/referrers/{ONE}"] = "gone"
    with pytest.raises(RegistryUnreachableError):
        listed(registry)
