"""Removing tags, from the registry and from the engine, on every engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.engines.real import REGISTRY_IMAGE, Bed, docker_alone, free_port, rootless_podman_alone
from support.registries.writer import Writer

from localreg.errors import RepositoryNotFoundError
from localreg.oci.api import RegistryClient
from localreg.oci.manifest import OCI_INDEX
from localreg.oci.ping import is_ready
from localreg.system.waiting import wait_until


@pytest.fixture
def filled(bed: Bed, folder: Path) -> Bed:
    """A registry with an image under two tags, both of which the engine has as well."""
    bed.add_image("localhost/app:1", folder)
    bed.up()
    bed.push("localhost/app:1")
    bed.push("localhost/app:1", name="app:2")
    return bed


@docker_alone
def test_one_tag_goes_and_its_sibling_stays(filled: Bed) -> None:
    removed = filled.ok("rm", "app:1")
    assert removed == f"registry localhost:5000/app:1\n{filled.program} localhost:5000/app:1\n"
    assert filled.ok("ls", "-q") == "localhost:5000/app:2\n"
    assert "localhost:5000/app:1" not in filled.images()
    assert {"localhost/app:1", "localhost:5000/app:2"} <= filled.images()
    assert filled.ok("pull", "app:2").startswith("localhost:5000/app:2@sha256:")
    assert "`app:1`" in filled.refused(4, "rm", "app:1")


@rootless_podman_alone
def test_the_engines_name_can_stay(filled: Bed) -> None:
    assert filled.ok("rm", "--keep-local", "localhost:5000/app:1") == "registry localhost:5000/app:1\n"
    assert "localhost:5000/app:1" in filled.images()
    # What only the engine still has goes there.
    assert filled.ok("rm", "app:1") == f"{filled.program} localhost:5000/app:1\n"
    assert "localhost:5000/app:1" not in filled.images()


@rootless_podman_alone
def test_several_go_although_one_is_not_there(filled: Bed) -> None:
    result = filled.localreg("rm", "app:1", "nosuch:1", "app:2", "--json", "--yes")
    assert result.returncode == 4
    found = json.loads(result.stdout)
    assert [entry["reference"] for entry in found["results"]] == ["localhost:5000/app:1", "localhost:5000/app:2"]
    assert [entry["source"] for entry in found["errors"]] == ["nosuch:1"]
    assert filled.ok("ls") == ""


@rootless_podman_alone
def test_a_pinned_reference_is_removed_only_if_it_still_is_that(filled: Bed) -> None:
    pinned = filled.ok("push", "localhost/app:1").strip()
    other = pinned.rpartition(":")[0] + ":" + "0" * 64
    assert pinned.rpartition("@")[2] in filled.refused(5, "rm", other)
    assert filled.ok("ls", "-q", "app:1") == "localhost:5000/app:1\n"
    filled.ok("rm", pinned)
    assert f"`app@sha256:{'0' * 12}`" in filled.refused(4, "rm", f"app@sha256:{'0' * 64}")


@docker_alone
def test_a_reference_that_names_another_registry_removes_nothing(filled: Bed) -> None:
    port = free_port()
    filled.ok("--name", "other", "up", "--port", str(port))
    filled.ok("--name", "other", "push", "localhost/app:1")
    before = filled.images(), filled.ok("ls"), filled.ok("--name", "other", "ls")

    error = filled.refused(5, "rm", "app:2", f"localhost:{port}/app:1")
    assert "`other`" in error
    meant = f"localreg --engine {filled.engine} --name other rm app:1"
    assert f"hint: {meant}\n" in error
    for reference in (f"localhost:{free_port()}/app:1", "ghcr.io/team/app:1"):
        assert f"`{reference}`" in filled.refused(2, "rm", "app:2", reference)
    assert (filled.images(), filled.ok("ls"), filled.ok("--name", "other", "ls")) == before

    assert filled.run(*meant.split()).returncode == 0
    assert filled.ok("--name", "other", "ls") == ""
    assert filled.ok("rm", "127.0.0.1:5000/app:1") == "registry 127.0.0.1:5000/app:1\n"
    assert filled.ok("ls", "-q") == "localhost:5000/app:2\n"


def test_an_image_that_a_container_uses_keeps_its_name_in_the_engine(bed: Bed, folder: Path) -> None:
    bed.up()
    bed.add_image("localhost:5000/app:1", folder)
    bed.push("localhost:5000/app:1")
    bed.engine_ok("run", "-d", "--name", "user", "localhost:5000/app:1")
    result = bed.localreg("rm", "app:1")
    assert (result.returncode, result.stdout) == (0, "registry localhost:5000/app:1\n")
    (note,) = result.stderr.splitlines()
    assert bed.program.capitalize() in note
    assert "localhost:5000/app:1" in note
    assert "localhost:5000/app:1" in bed.images()
    assert bed.ok("ls") == ""


@docker_alone
def test_where_deleting_is_off_nothing_is_touched(bed: Bed, folder: Path) -> None:
    bed.engine_ok("run", "-d", "-p", "127.0.0.1:5000:5000", "--name", "registry", REGISTRY_IMAGE)
    assert wait_until(lambda: is_ready("http://127.0.0.1:5000"), seconds=20)
    bed.add_image("localhost/app:1", folder)
    bed.push("localhost/app:1")
    before = bed.ok("ls")
    error = bed.refused(6, "rm", "app:1")
    assert "REGISTRY_STORAGE_DELETE_ENABLED=true" in error
    assert json.loads(bed.refused(6, "rm", "app:1", "--json"))["error"]["code"] == "delete-disabled"
    assert bed.refused(6, "rm", "app:1", "--dry-run") == error
    assert bed.refused(6, "prune", "--older-than", "0", "--dry-run") == error
    assert bed.ok("ls") == before
    assert "localhost:5000/app:1" in bed.images()


@docker_alone
def test_a_registry_of_others_that_deletes_is_asked_before(bed: Bed, folder: Path) -> None:
    deletes = ("-e", "REGISTRY_STORAGE_DELETE_ENABLED=true")
    bed.engine_ok("run", "-d", "-p", "127.0.0.1:5000:5000", *deletes, "--name", "registry", REGISTRY_IMAGE)
    assert wait_until(lambda: is_ready("http://127.0.0.1:5000"), seconds=20)
    bed.add_image("localhost/app:1", folder)
    bed.push("localhost/app:1")
    bed.push("localhost/app:1", name="app:2")
    before = bed.ok("ls")
    bed.ok("rm", "app:1", "--dry-run")
    bed.ok("prune", "--older-than", "0", "--dry-run")
    assert bed.ok("ls") == before
    bed.ok("rm", "app:1")
    bed.ok("prune", "--older-than", "0", "--yes")
    assert bed.ok("ls") == ""


@docker_alone
def test_a_pattern_removes_what_it_matches_after_a_question(filled: Bed) -> None:
    filled.push("localhost/app:1", name="team/app:dev-1")
    filled.push("localhost/app:1", name="team/app:dev-2")
    filled.push("localhost/app:1", name="team/app:main")
    before = filled.ok("ls"), filled.images()
    error = filled.refused(2, "rm", "team/*:dev-*")
    assert f"hint: localreg --engine {filled.engine} rm 'team/*:dev-*' --yes\n" in error
    found = json.loads(filled.ok("rm", "team/*:dev-*", "--dry-run", "--json"))
    assert found["dry_run"] is True
    assert [result["removed_from"] for result in found["results"]] == [["registry", filled.engine]] * 2
    assert (filled.ok("ls"), filled.images()) == before
    filled.ok("rm", "team/*:dev-*", "--yes")
    assert filled.ok("ls", "-q", "team/app") == "localhost:5000/team/app:main\n"
    assert "localhost:5000/team/app:dev-1" not in filled.images()
    assert "`team/*:dev-*`" in filled.refused(4, "rm", "team/*:dev-*")
    # A single match needs no consent.
    filled.ok("rm", "team/*")
    assert filled.ok("ls", "team/*") == ""


@rootless_podman_alone
def test_a_digest_goes_with_its_tags_and_a_repository_with_everything(filled: Bed) -> None:
    filled.push("localhost/app:1", name="app/inner:1")
    writer = Writer("http://127.0.0.1:5000")
    part = writer.image("app")
    index = writer.manifest("app", "all", {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [part]})
    digest = json.loads(filled.ok("ls", "app:1", "--json"))["images"][0]["digest"]

    error = filled.refused(5, "rm", f"app@{part['digest'][:19]}")
    assert f"rm app@{index['digest'][:19]}" in error
    assert "`nosuch`" in filled.refused(4, "rm", f"nosuch@{digest[:19]}", "--yes")
    found = json.loads(filled.ok("rm", f"app@{digest[7:19]}", "--yes", "--json"))["results"]
    references = [result["reference"] for result in found]
    assert references == ["localhost:5000/app:1", "localhost:5000/app:2", f"localhost:5000/app@{digest}"]
    assert filled.ok("ls", "-q", "app") == "localhost:5000/app:all\n"

    assert "`app:all`" in filled.refused(2, "rm", "--repository", "app:all")
    assert "rm 'ap*' --dry-run" in filled.refused(2, "rm", "--repository", "ap*")
    filled.ok("rm", "--repository", "app", "--yes")
    assert filled.ok("ls", "-q") == "localhost:5000/app/inner:1\n"
    with RegistryClient("http://127.0.0.1:5000") as client, pytest.raises(RepositoryNotFoundError):
        client.get_manifest("app", str(part["digest"]))
    assert "`app`" in filled.refused(4, "rm", "--repository", "app")
