"""A push that fails because of what the registry has under the name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry

from localreg.engines.common.messages import transfer_error
from localreg.engines.values import AnonymousMount, ContainerSpec, Progress
from localreg.errors import RegistryError
from localreg.images.push import push_image
from localreg.images.transfer import Transfer
from localreg.oci.access import Credentials
from localreg.oci.reference import parse_reference
from localreg.registry.container import Registry
from localreg.system.address import Address

SAID = "unexpected status from HEAD request to http://localhost:5000/v2/app/manifests/1: 500 Internal Server Error"


class AskingEngine(FakeEngine):
    """Asks for the tag before it pushes, as Docker's containerd store does."""

    def push_image(self, reference: str, *, plain_http: bool, login: Credentials | None = None) -> Iterator[Progress]:
        del plain_http, login
        raise transfer_error(reference, SAID)
        yield


def test_a_tag_that_the_registry_cannot_read_is_removed_first(registry: FakeRegistry) -> None:
    engine = AskingEngine()
    engine.add_image("registry:2.8.3")
    engine.add_image("app:1")
    address = Address("127.0.0.1", int(registry.base_url.rpartition(":")[2]))
    spec = ContainerSpec("registry", "registry:2.8.3", 5000, address, AnonymousMount("/data"))
    found = Registry(engine.create_container(spec))
    transfer = Transfer("app:1", found.reference_of(parse_reference("app:1")))
    with pytest.raises(RegistryError) as caught:
        push_image(engine, found, transfer, on_progress=lambda _step: None)
    assert caught.value.hint == "localreg rm app:1"
    assert list(caught.value.details) == [SAID]
    assert engine.find_image(str(transfer.reference)) is None
