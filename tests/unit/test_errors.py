from __future__ import annotations

from localreg.errors import EngineUnavailableError, RegistryError, Unavailable


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
