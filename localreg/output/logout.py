"""The result of `logout`."""

from __future__ import annotations

from localreg.output.streams import Renderings
from localreg.registry.login import LoggedOut


def render(result: LoggedOut) -> Renderings:
    """Lay out a logout."""
    done = "is logged out of" if result.was_logged_in else "was not logged in to"
    return Renderings(
        table=lambda _width: f"{result.program} {done} {result.location}",
        plain=lambda: result.location if result.was_logged_in else "",
        json=lambda: {
            "program": result.program,
            "location": result.location,
            "was_logged_in": result.was_logged_in,
        },
    )
