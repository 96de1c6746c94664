"""What answers at a registry's address."""

from __future__ import annotations

import pytest
from support.registries.fake import FakeRegistry

from localreg.errors import RegistryUnreachableError
from localreg.oci.api import RegistryClient
from localreg.oci.ping import Reply, ask


def test_a_registry_and_one_that_requires_a_login_are_ready(registry: FakeRegistry) -> None:
    assert ask(registry.base_url) is Reply.READY
    registry.needs_login = True
    assert ask(registry.base_url) is Reply.WANTS_LOGIN
    assert ask(registry.base_url).is_ready


@pytest.mark.parametrize("fault", ["html", "gone", "400", "500"])
def test_something_else_is_not(registry: FakeRegistry, fault: str) -> None:
    registry.faults["/v2/"] = fault
    assert ask(registry.base_url) is Reply.NONE


def test_tls_is_recognised_also_where_the_answer_has_no_text(registry: FakeRegistry) -> None:
    registry.faults["/v2/"] = "tls"
    assert ask(registry.base_url) is Reply.SPEAKS_TLS
    with RegistryClient(registry.base_url) as client:
        for request in (lambda: client.head_manifest("app", "1"), lambda: client.list_tags("app")):
            with pytest.raises(RegistryUnreachableError, match="TLS") as caught:
                request()
            assert caught.value.hint == "localreg --name OTHER up"


def test_another_400_is_not_taken_for_tls(registry: FakeRegistry) -> None:
    registry.faults["/v2/app/tags/list"] = "400"
    with RegistryClient(registry.base_url) as client, pytest.raises(Exception, match="400"):
        client.list_tags("app")
