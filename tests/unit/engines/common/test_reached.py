"""What engines answer when they are asked whether they reach a registry, as they really said it."""

from __future__ import annotations

import pytest

from localreg.engines.common.messages import check_answer
from localreg.errors import RegistryError, RegistryUnreachableError

PINGING = "1 error occurred:\n\t* getting repository tags: pinging container registry localhost:5000: "


@pytest.mark.parametrize(
    "message",
    [
        "manifest unknown: manifest unknown",
        "1 error occurred:\n\t* getting repository tags: fetching tags list: invalid status code from registry 404",
        "unauthorized: authentication required",
        "no basic auth credentials",
        "denied: requested access to the resource is denied",
    ],
)
def test_any_answer_of_the_registry_will_do(message: str) -> None:
    check_answer("localhost:5000", message)


@pytest.mark.parametrize(
    ("message", "error", "word", "hint"),
    [
        (
            'Get "http://localhost:5000/v2/": dial tcp [::1]:5000: connect: connection refused',
            RegistryUnreachableError,
            "cannot reach",
            None,
        ),
        (f'{PINGING}Get "https://localhost:5000/v2/": dial tcp: no such host', RegistryUnreachableError, "reach", None),
        (
            f'{PINGING}Get "https://localhost:5000/v2/": http: server gave HTTP response to HTTPS client',
            RegistryError,
            "uses HTTPS",
            None,
        ),
        (
            f'{PINGING}Get "https://localhost:5000/v2/": x509: certificate signed by unknown authority',
            RegistryError,
            "does not trust",
            "localreg trust",
        ),
        ("proxyconnect tcp: dial tcp 127.0.0.1:3128: connect: refused", RegistryUnreachableError, "proxy", None),
    ],
)
def test_an_engine_that_does_not_reach_it_says_why(
    message: str, error: type[RegistryError], word: str, hint: str | None
) -> None:
    with pytest.raises(RegistryError) as caught:
        check_answer("localhost:5000", message)
    assert type(caught.value) is error
    assert word in caught.value.message
    assert caught.value.hint == hint
    assert caught.value.details
