from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.engines.connections import Bench, fake_bench, real_bench
from support.engines.real import BEDS, REQUIRED


@pytest.fixture(params=["fake", *REQUIRED])
def bench(request: pytest.FixtureRequest, folder: Path) -> Iterator[Bench]:
    """Each engine in turn, with nothing in it; real ones are left as they were found."""
    if request.param == "fake":
        with fake_bench() as found:
            yield found
        return
    distribution = request.getfixturevalue("distribution")
    bed = BEDS[request.param]
    request.node.user_properties.append(("engine", bed.name))
    before = bed.images()
    with real_bench(request.param, folder, distribution.location) as found:
        yield found
    bed.clean(before)
