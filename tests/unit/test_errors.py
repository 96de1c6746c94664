from __future__ import annotations

import pytest

from localreg.errors import EngineUnavailableError, LocalregError, RegistryError, Unavailable


def test_an_error_in_other_words_keeps_what_it_knows() -> None:
    error = RegistryError("no", hint="try", details=["a"], status=500, registry_code="UNKNOWN")
    other = error.with_(message="no, for `app`", details=["a", "b"])
    assert type(other) is RegistryError
    assert (str(other), other.hint, other.details) == ("no, for `app`", "try", ("a", "b"))
    assert (other.status, other.registry_code) == (500, "UNKNOWN")


def test_the_error_that_was_caught_stays_as_it_is() -> None:
    probe = Unavailable("docker", "/run/docker.sock", "nothing listens")
    error = EngineUnavailableError("no engine", probes=[probe])
    other = error.with_(message="none", hint="docker info", details=())
    assert (str(error), error.message, error.hint) == ("no engine", "no engine", None)
    assert len(error.details) == 1
    assert (other.probes, other.hint, other.details) == ((probe,), "docker info", ())


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("`` is not a valid name", "an empty value is not a valid name"),
        ("invalid value for `--port`: ``", "invalid value for `--port`: an empty value"),
        ("``id`` is not a host", "``id`` is not a host"),
    ],
)
def test_an_empty_value_is_called_one(message: str, said: str) -> None:
    assert LocalregError(message).message == said
