"""The result of `login`."""

from __future__ import annotations

from localreg.output.streams import Renderings
from localreg.registry.login import LoggedIn


def render(result: LoggedIn) -> Renderings:
    """Lay out a login, without its password."""
    return Renderings(
        table=lambda _width: f"{result.program} is logged in to {result.location} as `{result.user}`",
        plain=lambda: result.location,
        json=lambda: {"program": result.program, "location": result.location, "user": result.user},
    )
