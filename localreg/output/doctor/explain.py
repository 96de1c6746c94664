"""The result of `doctor explain`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from localreg.explain.explanation import Cure, Explanation
from localreg.output.block import block
from localreg.output.streams import Renderings
from localreg.system.command_line import CommandLine

Completed = Callable[[str], str]


def render(found: Sequence[Explanation], *, completed: Completed = str) -> Renderings:
    """Lay out what is known of a message.

    Args:
        found: The most special first.
        completed: Makes a step work for the registry that the user named.
    """

    def table(width: int) -> str:
        first, *others = found
        shown = [
            (first.cause, _facts(first, completed)),
            *(
                (f"Or: {other.cause}", [("more", f"`{completed(CommandLine('doctor', 'explain', other.name))}`")])
                for other in others
            ),
        ]
        return "\n\n".join(block(cause, facts, width=width) for cause, facts in shown)

    def plain() -> str:
        return "\n".join("\t".join((known.name, known.cause, completed(known.cures[0].step))) for known in found)

    return Renderings(
        table=table,
        plain=plain,
        quiet=lambda: "\n".join(known.name for known in found),
        json=lambda: {"explanations": [_json(known, completed) for known in found]},
    )


def _facts(known: Explanation, completed: Completed) -> list[tuple[str, str]]:
    cures = [_spoken(cure, completed) for cure in known.cures]
    return [
        *zip(["cure", *["or"] * len(cures)], cures, strict=False),
        ("said by", ", ".join(known.of)),
        ("name", known.name),
        ("see", known.link),
    ]


def _spoken(cure: Cure, completed: Completed) -> str:
    step = f"`{completed(cure.step)}`" if cure.is_command else cure.step
    return f"{step} ({cure.when})" if cure.when else step


def _json(known: Explanation, completed: Completed) -> dict[str, Any]:
    return {
        "name": known.name,
        "said_by": list(known.of),
        "cause": known.cause,
        "cures": [
            {"step": completed(cure.step), "is_command": cure.is_command, "when": cure.when or None}
            for cure in known.cures
        ],
        "link": known.link,
    }
