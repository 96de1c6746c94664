from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest

from localreg.tunnels.spec import TunnelSpec


@pytest.fixture
def spec() -> TunnelSpec:
    return TunnelSpec("ci@far", 5000, "registry", "localhost:5000", "http://127.0.0.1:5000")


@pytest.fixture
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The paths of sockets must be short.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield
