"""The result of `trust` and `untrust`: what was written, what the clients say, and how to undo it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from localreg.clients.changes import option_of
from localreg.clients.file_change import merged
from localreg.clients.port import Plan
from localreg.clients.trust import Trusted
from localreg.errors import LocalregError
from localreg.output.block import block
from localreg.output.streams import Renderings, error_as_json
from localreg.output.table import columns
from localreg.output.text import home_shortened

_HEADINGS = ("CLIENT", "LOCATION", "USES", "BECAUSE")

_USES = {"yes": True, "no": False, "unknown": None}

Failures = Sequence[tuple[str, LocalregError]]

_NAMES = {"system": "The system", "buildkit": "BuildKit", "containerd": "containerd"}
"""Clients that are not written like other words at the beginning of a sentence."""


def render(results: Sequence[Trusted], failures: Failures, *, dry_run: bool, command: str) -> Renderings:
    """Lay out the changes that were made, or would be.

    Args:
        results: Each client's.
        failures: The clients that failed.
        dry_run: Nothing was written.
        command: `localreg`, with the registry's name unless that is the default.
    """

    def diff() -> str:
        changes = [change for result in results for change in merged(result.plan.changes)]
        # Localreg's own records come last.
        changes.sort(key=lambda change: change.path.name.startswith("."))
        return "".join(change.diff() for change in changes).rstrip("\n")

    def table(width: int) -> str:
        if dry_run:
            return diff() or "No changes"
        shown = [result for result in results if result.plan.target.locations or result.plan.changes]
        return "\n".join(block(_headline(result), _facts(result, command), width=width) for result in shown) or (
            "" if failures else "Nothing to undo"
        )

    def plain() -> str:
        if dry_run:
            return diff()
        return "\n".join(f"{verb} {path}" for result in results for verb, path in _written(result.plan))

    return Renderings(
        table=table,
        plain=plain,
        json=lambda: {
            "dry_run": dry_run,
            "clients": [_as_json(result, dry_run=dry_run) for result in results],
            "errors": [{"source": name, **error_as_json(error)} for name, error in failures],
        },
    )


def render_list(results: Sequence[Trusted], failures: Failures) -> Renderings:
    """Lay out how each client stands to the registry.

    Args:
        results: Each client's.
        failures: The clients that failed.
    """
    rows = [
        (result.plan.client, place, _answer(result, place), _reason(result, place))
        for result in results
        for place in result.plan.target.locations
    ]
    return Renderings(
        table=lambda width: columns(_HEADINGS, [(*row[:3], home_shortened(row[3])) for row in rows], width=width),
        plain=lambda: "\n".join("\t".join(row) for row in rows),
        json=lambda: {
            "clients": [
                {"client": client, "location": place, "uses": _USES[answer], "because": because}
                for client, place, answer, because in rows
            ],
            "errors": [{"source": name, **error_as_json(error)} for name, error in failures],
        },
    )


def is_refused(result: Trusted) -> bool:
    """The client cannot use the registry by one of its addresses."""
    return any(_answer(result, place) == "no" for place in result.plan.target.locations)


def _headline(result: Trusted) -> str:
    plan = result.plan
    client = _NAMES.get(plan.client, plan.client.capitalize())
    if not plan.target.locations:
        return f"{client} no longer has what localreg added for registry `{plan.target.name}`"
    verb = "trusts the certificate of" if plan.target.ca else "uses plain HTTP for"
    stuck = [place for place in plan.target.locations if (result.checked or {}).get(place)]
    places = " and ".join(place for place in plan.target.locations if place not in stuck)
    return f"{client} {'now ' if plan.changes else ''}{verb} {places}"


def _facts(result: Trusted, command: str) -> list[tuple[str, str]]:
    plan = result.plan
    facts = [(verb, path) for verb, path in _written(plan)]
    if not plan.changes:
        facts += [("kept", f"{path}, which already has it") for path in map(str, plan.files)]
    facts += [("because", because) for because in dict.fromkeys(map(_because, plan.provided.values()))]
    facts += [("but", f"{obstacle.what}: {obstacle.cure}") for obstacle in plan.obstacles]
    facts += [("then", cure) for cure in plan.cures]
    if plan.target.locations:
        facts.append(("checked", _checked(result)))
        if plan.files or plan.changes:
            facts.append(("undo", f"{command} untrust {option_of(plan.client)}"))
    return facts


def _checked(result: Trusted) -> str:
    asked = [place for place, why in (result.checked or {}).items() if why is None]
    if not asked:
        return "no: it could not be asked, or the registry is not up"
    return f"{result.plan.client} can use {' and '.join(asked)}"


def _written(plan: Plan) -> list[tuple[str, str]]:
    """Each file that a person knows of, and what happened to it; without localreg's own records."""
    return [
        ("removed" if change.after is None else "wrote", str(change.path))
        for change in merged(plan.changes)
        if not change.path.name.startswith(".")
    ]


def _because(reason: str) -> str:
    if reason == "loopback":
        return "it trusts registries on this machine's loopback as it is"
    return f"{reason} already allows it"


def _answer(result: Trusted, place: str) -> str:
    if result.checked is None or place not in result.checked:
        return "unknown"
    return "no" if result.checked[place] else "yes"


def _reason(result: Trusted, place: str) -> str:
    obstacle = (result.checked or {}).get(place)
    if obstacle:
        return obstacle
    plan = result.plan
    if place in plan.provided:
        return plan.provided[place]
    if plan.changes:
        return "its configuration" if _answer(result, place) == "yes" else "localreg trust was not run"
    files = [str(path) for path in plan.files]
    # Certificates are in a folder for each address.
    return ", ".join([path for path in files if f"/{place}/" in path] or files) or "its configuration"


def _as_json(result: Trusted, *, dry_run: bool) -> Mapping[str, Any]:
    plan = result.plan
    return {
        "client": plan.client,
        "locations": list(plan.target.locations),
        "changed": result.is_made and bool(plan.changes),
        "files": [str(path) for path in plan.files],
        "changes": [{"path": path, "action": verb} for verb, path in _written(plan)],
        "provided_by": dict(plan.provided),
        "obstacles": [{"what": obstacle.what, "cure": obstacle.cure} for obstacle in plan.obstacles],
        "in_force": None if result.checked is None else {place: why is None for place, why in result.checked.items()},
        "diff": "".join(change.diff() for change in merged(plan.changes)) if dry_run else None,
    }
