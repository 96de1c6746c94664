"""The result of `doctor`."""

from __future__ import annotations

from collections.abc import Sequence

from localreg.doctor.check import Check
from localreg.output.block import aligned
from localreg.output.streams import Renderings


def render_list(checks: Sequence[Check]) -> Renderings:
    """Lay out the names of the checks, and the state that each makes sure of."""
    rows = [(check.name, check.summary) for check in checks]
    return Renderings(
        table=lambda width: "\n".join(aligned(rows, width=width)),
        plain=lambda: "\n".join("\t".join(row) for row in rows),
        quiet=lambda: "\n".join(name for name, _ in rows),
        json=lambda: {"checks": [{"name": name, "summary": summary} for name, summary in rows]},
    )
