"""`prune` on real engines."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.engines.real import Bed, Distribution, on_every_engine
from support.registries.writer import Writer

from localreg.content.prune import Pruner
from localreg.content.prune_plan import PruneOptions
from localreg.content.rules import Decision
from localreg.errors import ConflictError, RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import OCI_INDEX, OCI_MANIFEST
from localreg.registry.volume_folder import FolderVolume


@on_every_engine
def test_a_plan_is_shown_and_exactly_that_one_is_carried_out(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.up()
    bed.push("localhost/app:1")
    bed.push("localhost/app:1", name="other:1")
    bed.push("localhost/app:1", name="app:latest")
    plan = json.loads(bed.ok("prune", "--older-than", "0", "--match", "app", "--dry-run", "--json"))
    assert {(part["repository"], part["tag"]): part["rule"] for part in plan["decisions"]} == {
        ("app", "latest"): "protected",
        ("app", "1"): "old",
        ("other", "1"): "unmatched",
    }
    command = ("prune", "--older-than", "0", "--match", "app")
    assert "cannot ask here" in bed.refused(2, *command)
    assert "the plan is now" in bed.refused(5, *command, "--apply", "sha256:000000000000")
    bed.ok(*command, "--apply", plan["plan"])
    assert {(image["repository"], image["tag"]) for image in json.loads(bed.ok("ls", "--json"))["images"]} == {
        ("app", "latest"),
        ("other", "1"),
    }


@pytest.fixture
def writer(distribution: Distribution) -> Writer:
    return Writer(distribution.base_url)


def pruner(distribution: Distribution, client: RegistryClient, **options: Any) -> Pruner:
    rules = PruneOptions(**options).rules(datetime.now(UTC) + timedelta(seconds=2))
    return Pruner(FolderVolume(distribution.root), client, rules)


def going(decisions: Sequence[Decision]) -> list[Decision]:
    return [part for part in decisions if part.goes]


class Killed(Exception):  # noqa: N818 -- it stands for a kill
    """What a kill is to the process that dies."""


class DyingClient(RegistryClient):
    """Dies before it deletes."""

    def delete_manifest(self, repository: str, digest: str) -> None:
        raise Killed(f"{repository}@{digest}")


class SlowClient(RegistryClient):
    """Another client pushes right before the tag moves."""

    def __init__(self, base_url: str, push: Callable[[], object]) -> None:
        super().__init__(base_url)
        self._push = push

    def put_blob(self, repository: str, data: bytes) -> str:
        self._push()
        return super().put_blob(repository, data)


def test_a_tag_that_moves_meanwhile_stays_and_so_does_the_digest_of_four_tags_that_go(
    distribution: Distribution, writer: Writer
) -> None:
    for tag in ("1", "2", "3", "4", "keep"):
        writer.image("app", tag)
    with RegistryClient(distribution.base_url) as client:
        pruning = pruner(distribution, client, older_than="0", protect=("keep",))
        removals = going(pruning.decide())
        assert (len(removals), sum(part.freed for part in removals)) == (4, 0)
        moved = writer.image("app", "2", architecture="arm64")["digest"]
        found = {part.decision.tag: part.error for part in pruning.remove(removals)}
        assert {tag for tag, error in found.items() if error} == {"2"}
        assert isinstance(found["2"], ConflictError)
        assert sorted(client.list_tags("app")) == ["2", "keep"]
        assert client.get_manifest("app", "2").digest == moved
        assert client.get_manifest("app", "keep").digest != moved


def test_a_tag_that_moves_while_it_is_removed_stays(distribution: Distribution, writer: Writer) -> None:
    writer.image("app", "1")
    with SlowClient(distribution.base_url, lambda: writer.image("app", "1", architecture="arm64")) as client:
        pruning = pruner(distribution, client, older_than="0")
        (done,) = pruning.remove(going(pruning.decide()))
        assert isinstance(done.error, ConflictError)
        assert json.loads(client.get_manifest("app", "1").data)["mediaType"] == OCI_MANIFEST


def test_a_tag_that_is_pushed_again_with_the_same_digest_stays(distribution: Distribution, writer: Writer) -> None:
    for tag, architecture in (("old", "amd64"), ("new", "arm64")):
        writer.image("app", tag, architecture=architecture)
    link = distribution.root / "docker/registry/v2/repositories/app/_manifests/tags/old/current/link"
    os.utime(link, (0, 0))
    with RegistryClient(distribution.base_url) as client:
        pruning = pruner(distribution, client, older_than="1d")
        removals = going(pruning.decide())
        assert [part.tag for part in removals] == ["old"]
        writer.image("app", "old")
        (done,) = pruning.remove(removals)
        assert "changed since the plan was made" in str(done.error)
        assert sorted(client.list_tags("app")) == ["new", "old"]


def test_a_run_that_was_killed_is_ended_by_the_next(distribution: Distribution, writer: Writer) -> None:
    for tag, architecture in (("1", "amd64"), ("2", "arm64")):
        writer.image("app", tag, architecture=architecture)
    with DyingClient(distribution.base_url) as dying:
        pruning = pruner(distribution, dying, older_than="0")
        removals = going(pruning.decide())
        with pytest.raises(Killed):
            list(pruning.remove(removals))
    with RegistryClient(distribution.base_url) as client:
        # The tag that died at its throw-away manifest is not counted as the newest image.
        pruning = pruner(distribution, client, keep=1)
        decisions = pruning.decide()
        assert sorted((part.rule.value, part.goes) for part in decisions) == [("interrupted", True), ("newest", False)]
        assert [part.error for part in pruning.remove(going(decisions))] == [None]
        assert len(client.list_tags("app")) == 1
        assert not going(pruning.decide())


def test_parts_signatures_and_attestations_go_with_their_image_and_stay_with_another(
    distribution: Distribution, writer: Writer
) -> None:
    parts = [writer.image("app"), writer.image("app", architecture="arm64")]
    attestation = writer.image("app", architecture="unknown")
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX}
    for tag, extra in (("1", []), ("2", [attestation])):
        about = writer.manifest("app", tag, index | {"manifests": [*parts, *extra]})["digest"]
        writer.image("app", f"{about.replace(':', '-')}.sig", architecture=f"signature of {tag}")
    writer.image("app", "arm64", architecture="arm64")
    with RegistryClient(distribution.base_url) as client:
        pruning = pruner(distribution, client, older_than="0", match=("app:1",))
        done = [part.decision for part in pruning.remove(going(pruning.decide()))]
        # The signature goes first, so that none is left without its image.
        assert [(part.tag, part.rule.value) for part in done[1:]] == [("1", "old")]
        assert (str(done[0].tag)[-4:], done[0].subject) == (".sig", done[1].digest)
        assert sorted(tag.split("-")[0] for tag in client.list_tags("app")) == ["2", "arm64", "sha256"]
        for part in (*parts, attestation):
            assert client.get_manifest("app", part["digest"]).digest == part["digest"]


def test_untagged_manifests_go_unless_a_tag_is_pushed_to_them_meanwhile(
    distribution: Distribution, writer: Writer
) -> None:
    children = [writer.image("app"), writer.image("app", architecture="arm64")]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
    writer.manifest("app", "all", index)
    lost = writer.image("app", architecture="s390x")["digest"]
    rescued = writer.image("app", architecture="riscv64")["digest"]
    with RegistryClient(distribution.base_url) as client:
        # A push may be under way: by default nothing goes that is so young.
        assert not going(pruner(distribution, client, untagged=True).decide())
        pruning = pruner(distribution, client, untagged=True, older_than="0", protect=("*:all",))
        removals = going(pruning.decide())
        assert {part.digest for part in removals} == {lost, rescued}
        assert all(part.freed for part in removals)
        writer.image("app", "rescued", architecture="riscv64")
        errors = {part.decision.digest: part.error for part in pruning.remove(removals)}
        assert (errors[lost], type(errors[rescued])) == (None, ConflictError)
        assert client.get_manifest("app", "rescued").digest == rescued
        with pytest.raises(RepositoryNotFoundError):
            client.get_manifest("app", lost)
        for child in children:
            assert client.get_manifest("app", child["digest"]).digest == child["digest"]
