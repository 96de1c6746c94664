"""Has Docker ask a registry for an image that does not exist: the answer tells how Docker gets along with it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localreg.engines.common.messages import WANTS_TLS
from localreg.engines.port import Engine
from localreg.errors import EngineLostError, LocalregError, RegistryUnreachableError

_IMAGE = "localreg-trust:none"
_CERTIFICATE = re.compile(r"(?:x509|tls): (?P<reason>.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """How Docker gets along with a registry."""

    is_known: bool = True
    """The registry answered, or Docker refused to speak to it."""
    obstacle: str | None = None
    """How it refused, as a sentence without a subject."""


def try_pull(engine: Engine, place: str) -> Answer:
    """Try it with one registry.

    Args:
        engine: Docker.
        place: `HOST:PORT`.

    Raises:
        EngineLostError: Docker stopped responding.
    """
    try:
        for _ in engine.pull_image(f"{place}/{_IMAGE}", plain_http=True):
            pass
    except (RegistryUnreachableError, EngineLostError) as exc:
        return _refused(place, exc) or Answer(is_known=False)
    except LocalregError as exc:
        # A missing image or a missing login is the registry's own answer.
        return _refused(place, exc) or Answer()
    return Answer()


def _refused(place: str, error: LocalregError) -> Answer | None:
    said = "\n".join(error.details)
    if WANTS_TLS.search(said):
        return Answer(obstacle=f"uses HTTPS for {place}, which speaks plain HTTP")
    if found := _CERTIFICATE.search(said):
        return Answer(obstacle=f"does not trust the certificate of {place} ({found['reason'].strip()})")
    return None
