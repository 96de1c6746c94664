"""The result of `podman-fix`."""

from __future__ import annotations

from collections.abc import Mapping

from localreg.clients.podman.drop_in import Plan
from localreg.output.block import block
from localreg.output.streams import Renderings


def render(plan: Plan, *, checked: Mapping[str, bool] | None, dry_run: bool, command: str) -> Renderings:
    """Lay out the change that was made, or would be.

    Args:
        plan: The change.
        checked: For each location, whether `podman` says that it is insecure; None if `podman` was not asked.
        dry_run: Nothing was written.
        command: `localreg`, with the registry's name unless that is the default.
    """

    def table(width: int) -> str:
        if dry_run:
            return plan.diff().rstrip("\n") or "No changes"
        return block(_headline(plan), _facts(plan, checked, command), width=width)

    def plain() -> str:
        if dry_run:
            return plan.diff().rstrip("\n")
        if not plan.changes:
            return ""
        return f"{'wrote' if plan.after else 'removed'} {plan.path}"

    return Renderings(
        table=table,
        plain=plain,
        json=lambda: {
            "path": str(plan.path),
            "changed": plan.changes and not dry_run,
            "added": list(plan.added),
            "removed": list(plan.removed),
            "provided_by": {location: str(file) for location, file in plan.provided.items()},
            "overridden_by": {place: str(obstacle.path) for place, obstacle in plan.overridden.items()},
            "in_force": None if checked is None else dict(checked),
            "diff": plan.diff() if dry_run else None,
        },
    )


def _headline(plan: Plan) -> str:
    allowed = [*plan.added, *plan.provided]
    if allowed:
        return f"Podman {'now uses' if plan.changes else 'uses'} plain HTTP for {' and '.join(allowed)}"
    if plan.removed:
        return f"Podman no longer uses plain HTTP for {' and '.join(plan.removed)}"
    return "Nothing to undo"


def _facts(plan: Plan, checked: Mapping[str, bool] | None, command: str) -> list[tuple[str, str]]:
    facts = []
    if plan.changes:
        facts.append(("wrote" if plan.after else "removed", str(plan.path)))
    elif plan.added:
        facts.append(("kept", f"{plan.path}, which already allows it"))
    facts += [("because", f"{file} already allows it") for file in dict.fromkeys(plan.provided.values())]
    if checked is not None:
        facts.append(("checked", f"podman says {'both are' if len(checked) > 1 else 'it is'} insecure"))
    elif plan.added:
        facts.append(("checked", "no: could not run `podman`"))
    if plan.added:
        facts.append(("undo", f"{command} podman-fix --remove"))
    return facts
