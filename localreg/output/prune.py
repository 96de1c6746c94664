"""The plan and the result of `prune`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from localreg.content.prune import Pruned
from localreg.content.prune_plan import Plan, PruneOptions
from localreg.content.rules import Decision, Rule
from localreg.errors import LocalregError
from localreg.output.block import block
from localreg.output.registry import time_json
from localreg.output.streams import Renderings, error_as_json
from localreg.output.table import columns
from localreg.output.text import ago, counted, printable, short_digest, size, with_short_digests

_SHOWN = 20
"""Lines before a question."""


def render(
    plan: Plan,
    pruned: Sequence[Pruned],
    errors: Sequence[tuple[str, LocalregError]],
    *,
    location: str,
    dry_run: bool,
    command: str,
    apply: str,
) -> Renderings:
    """Lay out a plan, or what was done by it.

    Args:
        plan: The plan.
        pruned: The outcomes; none for a dry run.
        errors: Each name that is still there, and why.
        location: The registry's part of a reference.
        dry_run: Nothing was removed.
        command: `localreg`, with the registry's name unless that is the default.
        apply: The command that carries out the plan.
    """
    done = [part.decision for part in pruned if part.error is None]
    shown = plan.removals if dry_run else done
    removed = {decision.key for decision in done}

    def table(width: int) -> str:
        facts = [("protected", protected(plan.options))]
        if dry_run and plan.removals:
            facts += [("plan", plan.short_digest), ("apply", f"`{apply}`")]
        if plan.removals:
            facts.append(("then", f"`{command} gc` frees the disk space"))
        verb = "Would remove" if dry_run else "Removed"
        headline = f"{verb} {count(shown)}" if shown else "Nothing to remove"
        parts = [_table(plan, width), ""] if dry_run and plan.decisions else []
        return "\n".join([*parts, block(headline, facts, width=width)])

    return Renderings(
        table=table,
        plain=lambda: "\n".join(
            [
                *("\t".join(_plain(part)) for part in (plan.decisions if dry_run else done)),
                *([f"plan\t{plan.digest}"] if dry_run else []),
            ]
        ),
        quiet=lambda: "\n".join(f"{location}/{name_of(part)}" for part in shown),
        json=lambda: {
            "dry_run": dry_run,
            "plan": plan.digest,
            "protected": list(plan.options.protected),
            "decisions": [
                {
                    "repository": part.repository,
                    "tag": part.tag,
                    "digest": part.digest,
                    "pushed": time_json(part.pushed),
                    "decision": _decision(part),
                    "rule": part.rule.value,
                    "freed": part.freed,
                    "removed": part.key in removed,
                }
                for part in plan.decisions
            ],
            "size": sum(part.freed for part in shown),
            "errors": [{"source": source, **error_as_json(error)} for source, error in errors],
        },
    )


def name_of(decision: Decision) -> str:
    """A tag, or a manifest without one by its digest."""
    end = f"@{decision.digest}" if decision.tag is None else f":{decision.tag}"
    return printable(f"{decision.repository}{end}")


def things(plan: Plan) -> list[str]:
    """What would go and why, a line each, at most a screenful."""
    found = [f"{_short_name(part)}  {reason(part, plan.options)}" for part in plan.removals]
    more = [f"and {len(found) - _SHOWN} more; --dry-run shows all"] if len(found) > _SHOWN else []
    return [*found[:_SHOWN], *more]


def count(decisions: Sequence[Decision]) -> str:
    """How many tags and manifests, and their bytes, for a sentence."""
    tags = sum(part.tag is not None for part in decisions)
    others = len(decisions) - tags
    parts = [counted(tags, "tag")] if tags else []
    parts += [f"{counted(others, 'manifest')} without a tag"] if others else []
    return f"{' and '.join(parts)} ({size(sum(part.freed for part in decisions))})"


def protected(options: PruneOptions) -> str:
    """The patterns that are protected, for a line."""
    return ", ".join(map(printable, options.protected)) or "nothing"


def reason(decision: Decision, options: PruneOptions) -> str:
    """The rule that decided, in words."""
    newest = f"the {options.keep} newest" if options.keep != 1 else "the newest"
    beyond = f"not {newest}" if options.keep == 1 else f"not among {newest}"
    match decision.rule:
        case Rule.NEWEST:
            return f"among {newest}" if options.keep != 1 else newest
        case Rule.TIE:
            return f"as new as the last of {newest}" if options.keep != 1 else f"as new as {newest}"
        case Rule.NOT_NEWEST:
            return beyond
        case Rule.OLD:
            more = "" if options.keep is None or decision.subject else f", {beyond}"
            return f"older than {options.older_than}{more}"
        case Rule.YOUNG:
            return f"not older than {options.older_than}" if options.older_than else "pushed in the last hour"
    return _WORDS[decision.rule]


_WORDS = {
    Rule.UNMATCHED: "does not match",
    Rule.PROTECTED: "protected",
    Rule.UNREADABLE: "cannot be read",
    Rule.NOT_ASKED: "has a tag",
    Rule.NO_TIME: "push time unknown",
    Rule.FOLLOWS_STAYING: "its image stays",
    Rule.NO_SUBJECT: "its image is gone; no age given",
    Rule.FOLLOWS_GOING: "its image goes",
    Rule.INTERRUPTED: "its removal was interrupted",
    Rule.UNTAGGED: "no tag leads to it",
}


def _table(plan: Plan, width: int) -> str:
    now = datetime.now(UTC)
    rows = [
        (
            _short_name(part),
            ago(part.pushed, now=now),
            _decision(part),
            reason(part, plan.options),
            size(part.freed) if part.goes else "",
        )
        for part in plan.decisions
    ]
    total = ("", "", "", "sum", size(plan.freed))
    headings = ["TAG", "PUSHED", "DECISION", "RULE", "FREES"]
    return columns(headings, [*rows, total], width=width, right=frozenset({"FREES"}), spare=["PUSHED"])


def _decision(decision: Decision) -> str:
    return "remove" if decision.goes else "keep"


def _short_name(decision: Decision) -> str:
    if decision.tag is None:
        return printable(f"{decision.repository}@{short_digest(str(decision.digest))}")
    return with_short_digests(name_of(decision))


def _plain(decision: Decision) -> tuple[str, ...]:
    return (
        _decision(decision),
        name_of(decision),
        decision.digest or "",
        time_json(decision.pushed) or "",
        decision.rule.value,
        str(decision.freed),
    )
