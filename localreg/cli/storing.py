"""What commands say of the registry when content does not get into it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus

from localreg.engines.port import Engine
from localreg.errors import RegistryError
from localreg.images.push_check import check_takes_pushes
from localreg.registry.container import Registry
from localreg.registry.failed_write import explained
from localreg.registry.start import find_cause


@contextlib.contextmanager
def storing(engine: Engine, registry: Registry, repositories: Iterable[str], *, what: str) -> Iterator[None]:
    """See that the registry takes pushes, and add the cause from its log to an error of its own.

    Args:
        engine: The engine that it runs on.
        registry: The registry.
        repositories: Those that are pushed to.
        what: How errors name what is stored.
    """
    check_takes_pushes(registry, *repositories)
    began = datetime.now(UTC)
    try:
        yield
    except RegistryError as exc:
        cause = find_cause(engine, registry, since=began) if exc.status == HTTPStatus.INTERNAL_SERVER_ERROR else None
        if cause is None:
            raise
        raise explained(exc, registry, cause, what=what) from exc
