"""The use case behind `trust`, with a client that says what it is told to say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from localreg.clients.port import Client, Machine, Obstacle, Plan, Target
from localreg.clients.trust import CLIENTS, get_client, make_trust
from localreg.errors import ConfigError

TARGET = Target("registry", ("localhost:5000", "127.0.0.1:5000"))


@dataclass
class Said:
    """A client that answers."""

    answer: Mapping[str, str | None] | None
    obstacles: tuple[Obstacle, ...] = ()
    cures: tuple[str, ...] = ()
    name: str = "stub"
    applied: bool = False

    def is_here(self) -> bool:
        return True

    def plan(self, target: Target) -> Plan:
        return Plan(self.name, target, obstacles=self.obstacles, cures=self.cures)

    def apply(self, plan: Plan) -> None:
        self.applied = plan.target is not None

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None] | None:
        assert (tuple(locations), ca) == (TARGET.locations, None)
        return self.answer


@pytest.mark.parametrize("answer", [None, dict.fromkeys(TARGET.locations), {"localhost:5000": None}])
def test_a_client_that_does_not_refuse_is_told(answer: Mapping[str, str | None] | None) -> None:
    client: Client = Said(answer)
    assert make_trust(client, TARGET).checked == answer


def test_a_refusal_is_an_error_with_its_cures() -> None:
    obstacle = Obstacle("has `x`", "change x")
    client = Said(
        {**dict.fromkeys(TARGET.locations), "localhost:5000": "refuses localhost:5000"}, (obstacle,), ("reload",)
    )
    with pytest.raises(ConfigError) as caught:
        make_trust(client, TARGET)
    assert caught.value.message == "stub still refuses localhost:5000"
    assert caught.value.hint == "reload and change x"


def test_an_obstacle_counts_unless_the_client_says_otherwise() -> None:
    obstacle = (Obstacle("has `x`", "change x"),)
    assert make_trust(Said(dict.fromkeys(TARGET.locations), obstacle), TARGET).plan.obstacles == obstacle
    for silent in (None, {"localhost:5000": None}):
        with pytest.raises(ConfigError, match="stub has `x`") as caught:
            make_trust(Said(silent, obstacle), TARGET)
        assert caught.value.hint == "change x"


def test_a_dry_run_asks_and_makes_nothing() -> None:
    client = Said({"localhost:5000": "refuses"})
    assert not make_trust(client, TARGET, dry_run=True).is_made
    assert not client.applied


@pytest.mark.parametrize("name", CLIENTS)
def test_each_client_of_the_table_is_called_as_it_is_named(name: str) -> None:
    assert get_client(name, Machine({})).name == name
