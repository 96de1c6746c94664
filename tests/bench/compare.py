"""Run localreg and its peer in turn, and compare the medians with the target."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

_ROUNDS = 5


class Row(Protocol):
    """The measurements of one case."""

    def cells(self) -> tuple[str, ...]:
        """The table row: case, localreg, peer, compared, target, met."""

    @property
    def is_met(self) -> bool:
        """Whether the target is met."""


@dataclass(frozen=True, slots=True)
class Target:
    """The time localreg may take, relative to the peer."""

    times: float
    plus: float = 0.0
    """Seconds."""

    def allowed(self, peer: float) -> float:
        """Seconds."""
        return peer * self.times + self.plus

    def __str__(self) -> str:
        if self.times < 1:
            return f"at least {1 / self.times:g}x faster"
        more = f"{self.plus * 1000:.0f} ms"
        if self.times == 1:
            return f"at most {more} more" if self.plus else "at least as fast"
        return f"at most {self.times:.3g}x{f' + {more}' if self.plus else ''}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Seconds of localreg and of the peer, one pair a round."""

    case: str
    ours: Sequence[float]
    peer_command: str
    peer: Sequence[float]
    target: Target

    @property
    def is_met(self) -> bool:
        return statistics.median(self.ours) <= self.target.allowed(statistics.median(self.peer))

    def cells(self) -> tuple[str, ...]:
        ours, peer = statistics.median(self.ours), statistics.median(self.peer)
        compared = f"{ours / peer:.2f}x" if ours >= peer else f"{peer / ours:.1f}x faster"
        if self.target.plus:
            compared += f", {(ours - peer) * 1000:+.0f} ms"
        theirs = f"`{self.peer_command}` {_seconds(self.peer)}"
        return self.case, _seconds(self.ours), theirs, compared, str(self.target), _verdict(is_met=self.is_met)


@dataclass(frozen=True, slots=True)
class Limit:
    """Measurements of localreg alone, one a round, with an upper limit."""

    case: str
    values: Sequence[float]
    allowed: float
    unit: Literal["MB", "s"]

    @property
    def is_met(self) -> bool:
        return max(self.values) < self.allowed

    def cells(self) -> tuple[str, ...]:
        most, verdict = max(self.values), _verdict(is_met=self.is_met)
        took = f"{most:.{0 if most >= 10 else 2}f} {self.unit}"
        return self.case, took, "", "", f"under {self.allowed:g} {self.unit}", verdict


def compare(
    case: str,
    ours: Callable[[], float],
    peer_command: str,
    peer: Callable[[], float],
    target: Target,
    *,
    rounds: int = _ROUNDS,
    warm_up: bool = True,
) -> Comparison:
    """Alternate between both, so that a busy spell of the machine affects both.

    Args:
        case: What is measured.
        ours: Does it, and says how many seconds it took.
        peer_command: What ours is compared with.
        peer: The same with that.
        target: What is asked of ours.
        rounds: How often each has its turn.
        warm_up: One more turn for each before the first that counts.
    """
    if warm_up:
        ours()
        peer()
    pairs = [(ours(), peer()) for _ in range(rounds)]
    return Comparison(case, [pair[0] for pair in pairs], peer_command, [pair[1] for pair in pairs], target)


def _seconds(values: Sequence[float]) -> str:
    """The median and its range, as text."""
    digits = 3 if max(values) < 1 else 2
    middle, least, most = (f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return f"{middle} s ({least}-{most})"


def _verdict(*, is_met: bool) -> str:
    return "yes" if is_met else "**no**"
