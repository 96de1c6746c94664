"""`copy` between registries in this process, which behave as registries elsewhere do."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import schemas
from support.engines.fake import FakeEngine
from support.registries.fake import FakeRegistry
from support.registries.remote import Remote, digest_of, remote_registry
from support.registries.shelf import InFake, Shelf

from localreg.cli.app import main
from localreg.oci import pacing
from localreg.system.waiting import wait_until

pytestmark = pytest.mark.usefixtures("without_engine")


@pytest.fixture
def near() -> Iterator[Remote]:
    with remote_registry() as opened:
        yield opened


@pytest.fixture
def far() -> Iterator[Remote]:
    with remote_registry() as opened:
        yield opened


def fill(remote: Remote) -> None:
    """An index with attestations, a signature and an SBOM; and images that share a layer."""
    shelf = Shelf(remote, "team/api")
    index = shelf.index("1.4.2", "latest")
    shelf.signature(index["digest"])
    shelf.sbom(index, listed=not remote.lists_referrers)
    Shelf(remote, "team/web").image("1")
    Shelf(remote, "charts/app").chart("1.2.0")


def below(remote: Remote, prefix: str) -> dict[tuple[str, str], str]:
    """The tags of the repositories below a prefix, named without it."""
    return {
        (name.removeprefix(prefix), tag): digest
        for (name, tag), digest in remote.tags.items()
        if name.startswith(prefix)
    }


def test_one_image_comes_with_all_that_is_about_it(near: Remote, far: Remote) -> None:
    fill(near)
    assert main(["copy", f"{near.location}/team/api:1.4.2", f"{far.location}/"]) == 0
    expected = {key: digest for key, digest in near.tags.items() if key[0] == "team/api" and key[1] != "latest"}
    assert far.tags == expected
    assert {key for key in near.manifests if key[0] == "team/api"} == set(far.manifests)
    assert all(far.manifests[key] == near.manifests[key] for key in far.manifests)
    assert {key for key in near.blobs if key[0] == "team/api"} == set(far.blobs)


@pytest.mark.parametrize("many", [True, False])
def test_what_is_about_it_is_found_without_a_list_of_tags(
    near: Remote, far: Remote, monkeypatch: pytest.MonkeyPatch, *, many: bool
) -> None:
    fill(near)
    if many:
        monkeypatch.setattr("localreg.places.referrers._MANY_TAGS", 2)
    else:
        near.answers["GET /v2/team/api/tags/list"] = [(403, {})] * 99
    assert main(["copy", f"{near.location}/team/api:1.4.2", f"{far.location}/"]) == 0
    assert len(far.tags) == 3


def test_everything_below_another_name(near: Remote, far: Remote, capsys: pytest.CaptureFixture[str]) -> None:
    fill(near)
    assert main(["copy", f"{near.location}/", f"{far.location}/mirror/", "--all"]) == 0
    assert below(far, "mirror/") == near.tags
    lines = capsys.readouterr().out.splitlines()
    assert f"{far.location}/mirror/team/web:1\t{near.tags['team/web', '1']}\tnew" in lines
    assert len(lines) == len(near.tags)
    # The layer that images of two repositories have was sent once.
    assert sum(far.uploads.values()) == len({digest for _, digest in near.blobs})
    assert main(["copy", f"{near.location}/", f"{far.location}/mirror/", "--all"]) == 0
    assert sum(far.uploads.values()) == len({digest for _, digest in near.blobs})
    assert {line.rpartition("\t")[2] for line in capsys.readouterr().out.splitlines()} == {"exists"}


@pytest.mark.parametrize(
    ("source", "patterns", "expected"),
    [
        ("", ["team/*:1*"], {("team/api", "1.4.2"), ("team/web", "1")}),
        ("team/", ["*:latest", "web"], {("team/api", "latest"), ("team/web", "1")}),
        ("team/", ["--all"], {("team/api", "1.4.2"), ("team/api", "latest"), ("team/web", "1")}),
        ("team/api", ["1.*", ":latest"], {("team/api", "1.4.2"), ("team/api", "latest")}),
        ("charts/app", ["--all"], {("charts/app", "1.2.0")}),
    ],
)
def test_patterns_choose(
    near: Remote, far: Remote, source: str, patterns: list[str], expected: set[tuple[str, str]]
) -> None:
    fill(near)
    assert main(["copy", f"{near.location}/{source}", f"{far.location}/", *patterns]) == 0
    assert {key for key in far.tags if not key[1].startswith("sha256-")} == expected


@pytest.mark.parametrize(
    ("source", "target", "name"),
    [
        ("team/web:1", "team/web", ("team/web", "1")),
        ("team/web:1", "other:2", ("other", "2")),
        ("team/web:1", "other", ("other", "1")),
        ("team/web:1", "below/", ("below/team/web", "1")),
        ("team/web@DIGEST", "other:2", ("other", "2")),
        ("team/web:x@DIGEST", "other", ("other", "x")),
    ],
)
def test_the_destination_names_it(near: Remote, far: Remote, source: str, target: str, name: tuple[str, str]) -> None:
    fill(near)
    digest = near.tags["team/web", "1"]
    source = source.replace("DIGEST", digest)
    assert main(["copy", f"{near.location}/{source}", f"{far.location}/{target}"]) == 0
    assert far.tags == {name: digest}


def test_a_digest_alone_stays_without_a_tag(near: Remote, far: Remote, capsys: pytest.CaptureFixture[str]) -> None:
    fill(near)
    digest = near.tags["team/web", "1"]
    assert main(["copy", f"{near.location}/team/web@{digest}", f"{far.location}/"]) == 0
    assert set(far.manifests) == {("team/web", digest)}
    assert capsys.readouterr().out == f"{far.location}/team/web@{digest}\t{digest}\tnew\n"


def test_within_one_registry_nothing_is_sent(near: Remote) -> None:
    fill(near)
    assert main(["copy", f"{near.location}/team/api:1.4.2", f"{near.location}/stable/api:now"]) == 0
    assert near.tags["stable/api", "now"] == near.tags["team/api", "1.4.2"]
    assert not near.uploads
    assert not [each for each in near.of("GET", "/blobs/") if "team/api" not in each.target]


def test_a_registry_that_cannot_mount_is_sent_to(near: Remote) -> None:
    near.mounts = False
    fill(near)
    assert main(["copy", f"{near.location}/team/web:1", f"{near.location}/stable/web:1"]) == 0
    assert near.tags["stable/web", "1"] == near.tags["team/web", "1"]


def test_a_dry_run_changes_nothing(near: Remote, far: Remote, capsys: pytest.CaptureFixture[str]) -> None:
    fill(near)
    assert main(["copy", f"{near.location}/", f"{far.location}/", "--all", "--dry-run", "--json"]) == 0
    found = schemas.check("copy", capsys.readouterr().out)
    assert not far.manifests
    assert {each.method for each in far.asked} <= {"GET", "HEAD"}
    assert found["dry_run"]
    assert found["sent"] == sum(
        len(data) for data in {digest: data for (_, digest), data in near.blobs.items()}.values()
    )
    assert {image["state"] for image in found["images"]} == {"new"}
    assert main(["copy", f"{near.location}/", f"{far.location}/", "--all", "--json"]) == 0
    copied = schemas.check("copy", capsys.readouterr().out)
    assert copied["images"] == found["images"]
    assert copied["sent"] == found["sent"]


@pytest.mark.parametrize("source_lists", [True, False])
@pytest.mark.parametrize("target_lists", [True, False])
def test_referrers_are_found_wherever_a_registry_lists_them(
    near: Remote, far: Remote, *, source_lists: bool, target_lists: bool
) -> None:
    near.lists_referrers, far.lists_referrers = source_lists, target_lists
    index = Shelf(near, "app").index("1")
    sbom = Shelf(near, "app").sbom(index, listed=not source_lists)
    # The destination knows of another one.
    other = Shelf(far, "app").sbom({**index, "mediaType": index["mediaType"]}, listed=not target_lists)
    extra = json.loads(far.manifests["app", other["digest"]][1])
    far.manifest("app", "", {**extra, "annotations": {"only": "here"}})
    assert main(["copy", f"{near.location}/app:1", f"{far.location}/"]) == 0
    assert ("app", sbom["digest"]) in far.manifests
    tag = index["digest"].replace(":", "-")
    if not target_lists:
        listed = json.loads(far.manifests["app", far.tags["app", tag]][1])["manifests"]
        assert {each["digest"] for each in listed} == {sbom["digest"], other["digest"]}
        assert {each["artifactType"] for each in listed} == {"application/spdx+json"}
    elif source_lists:
        assert ("app", tag) not in far.tags


def test_what_the_destination_lists_by_tag_stays_listed(near: Remote, far: Remote) -> None:
    index = Shelf(near, "app").index("1")
    Shelf(near, "app").sbom(index, listed=True)
    Shelf(far, "app").index("1")
    manifest = {**json.loads(far.manifests["app", index["digest"]][1]), "annotations": {"other": "referrer"}}
    other = far.manifest("app", "", manifest)
    tag = index["digest"].replace(":", "-")
    media_type = "application/vnd.oci.image.index.v1+json"
    far.manifest("app", tag, {"schemaVersion": 2, "mediaType": media_type, "manifests": [other]})
    assert main(["copy", f"{near.location}/app:1", f"{far.location}/"]) == 0
    listed = json.loads(far.manifests["app", far.tags["app", tag]][1])["manifests"]
    assert len(listed) == 2
    assert other["digest"] in {each["digest"] for each in listed}


def test_an_image_whose_referrers_cannot_be_listed_is_not_copied_without_them(
    near: Remote, far: Remote, capsys: pytest.CaptureFixture[str]
) -> None:
    near.lists_referrers = True
    index = Shelf(near, "app").index("1")
    Shelf(near, "app").sbom(index, listed=False)
    near.answers[f"GET /v2/app/referrers/{index['digest']}"] = [(500, {})]
    command = ["copy", f"{near.location}/app:1", f"{far.location}/"]
    assert main(command) == 6
    assert "returned 500 for the referrers" in capsys.readouterr().err
    assert not far.tags
    assert main(command) == 0
    assert {key for key in near.manifests if key[0] == "app"} <= set(far.manifests)


@pytest.mark.parametrize("by_tag", [True, False])
def test_a_referrer_that_was_removed_is_not_listed_again(near: Remote, far: Remote, *, by_tag: bool) -> None:
    """A registry takes no index that lists what is not there."""
    near.lists_referrers = not by_tag
    index = Shelf(near, "app").index("1")
    sbom = Shelf(near, "app").sbom(index, listed=by_tag)
    removed = Shelf(far, "app").sbom({**index, "size": 1}, listed=True)
    del far.manifests["app", removed["digest"]]
    assert main(["copy", f"{near.location}/app:1", f"{far.location}/"]) == 0
    listed = json.loads(far.manifests["app", far.tags["app", index["digest"].replace(":", "-")]][1])["manifests"]
    assert [each["digest"] for each in listed] == [sbom["digest"]]


def test_the_login_of_the_engines_is_used(
    near: Remote, far: Remote, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(near)
    far.users, far.realm = {"dev": "hunter2"}, f"{far.base_url}/token"
    near.users = {"reader": "letmein"}
    command = ["copy", f"{near.location}/team/api:1.4.2", f"{far.location}/"]
    assert main(command) == 6
    said = capsys.readouterr().err
    assert f"docker login {near.location}" in said
    auths = {
        where.location: {"auth": base64.b64encode(":".join(*where.users.items()).encode()).decode()}
        for where in (near, far)
    }
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": auths}))
    assert main([*command, "--debug"]) == 0
    assert ("team/api", "1.4.2") in far.tags
    assert not {"hunter2", "letmein"} & {*"".join(capsys.readouterr()).split()}


def test_a_wait_is_shown(
    near: Remote, far: Remote, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "_LONGEST", 1.5)
    fill(near)
    near.answers["GET /v2/team/web/manifests/1"] = [(429, {"Retry-After": "1"})]
    assert main(["copy", f"{near.location}/team/web:1", f"{far.location}/"]) == 0
    assert f"the registry at {near.location} asks to wait 1 s" in capsys.readouterr().err


@contextlib.contextmanager
def started(tmp_path: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`copy` as a process of its own, where there is no engine."""
    environ = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": ":".join(sys.path)}
    environ |= {"DOCKER_HOST": f"unix://{tmp_path}/none", "CONTAINER_HOST": f"unix://{tmp_path}/none"}
    command = [sys.executable, "-m", "localreg", "copy", *arguments]
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_after_a_kill_only_the_rest_is_sent(near: Remote, far: Remote, tmp_path: Path) -> None:
    data = [bytes([number]) * 100_000 for number in range(3)]
    Shelf(near, "app").image("1", layers=data)
    last = digest_of(data[-1])
    near.holds[last] = threading.Event()
    command = f"{near.location}/app:1", f"{far.location}/"
    with started(tmp_path, *command) as process:
        # All but the layer that does not come.
        assert wait_until(lambda: far.uploads["app"] == 3, seconds=30, is_alive=lambda: process.poll() is None)
        process.kill()
    assert not far.tags
    near.holds.pop(last).set()
    assert main(["copy", *command]) == 0
    assert far.uploads["app"] == 4
    assert set(far.tags) == {("app", "1")}


def test_two_at_once_get_along(near: Remote, far: Remote, tmp_path: Path) -> None:
    fill(near)
    command = f"{near.location}/", f"{far.location}/", "--all"
    with started(tmp_path, *command) as one, started(tmp_path, *command) as two:
        assert (one.wait(60), two.wait(60)) == (0, 0)
    assert far.tags == near.tags


def test_ctrl_c_ends_a_wait(near: Remote, far: Remote, tmp_path: Path) -> None:
    fill(near)
    near.answers["GET /v2/team/web/manifests/1"] = [(429, {"Retry-After": "290"})]
    with started(tmp_path, f"{near.location}/team/web:1", f"{far.location}/") as process:
        assert process.stderr is not None
        # It is told before the wait begins.
        assert "asks to wait 290 s" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        assert process.stderr.read() == ""


@pytest.mark.parametrize("side", ["near", "far"])
def test_a_connection_that_breaks_in_a_layer_goes_on(near: Remote, far: Remote, side: str) -> None:
    data = bytes(range(256)) * 20_000
    Shelf(near, "app").image("1", layers=[data])
    (near if side == "near" else far).cuts[digest_of(data)] = 3_000_000
    assert main(["copy", f"{near.location}/app:1", f"{far.location}/"]) == 0
    assert far.blobs["app", digest_of(data)] == data


@pytest.mark.parametrize("lie", [b"short", b"x" * 26, b"y" * 1000])
def test_a_source_that_lies_about_a_layer_gets_no_tag(
    near: Remote, far: Remote, lie: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    data = b"abcdefghijklmnopqrstuvwxyz"
    Shelf(near, "app").image("1", layers=[data])
    near.lies[digest_of(data)] = lie
    assert main(["copy", f"{near.location}/app:1", f"{far.location}/"]) == 6
    assert digest_of(data) in capsys.readouterr().err
    assert not far.tags
    assert ("app", digest_of(data)) not in far.blobs
    near.lies.clear()
    assert main(["copy", f"{near.location}/app:1", f"{far.location}/"]) == 0


def test_a_manifest_that_is_too_large_is_not_read(
    near: Remote, far: Remote, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(near)
    near.lies[near.tags["team/web", "1"]] = b" " * (20 << 20)
    assert main(["copy", f"{near.location}/team/web:1", f"{far.location}/"]) == 6
    assert "4 MiB" in capsys.readouterr().err


@pytest.mark.parametrize(("status", "words"), [(500, "returned 500"), (403, "does not permit")])
def test_a_destination_that_fails_is_named(
    near: Remote, far: Remote, status: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(near)
    far.answers["POST /v2/team/web/blobs/uploads/"] = [(status, {})] * 50
    assert main(["copy", f"{near.location}/team/web:1", f"{far.location}/"]) == 6
    said = " ".join(capsys.readouterr().err.split())
    assert f"the registry at {far.location} {words}" in said
    assert not far.tags


def test_one_that_fails_does_not_stop_the_others(near: Remote, far: Remote, capsys: pytest.CaptureFixture[str]) -> None:
    fill(near)
    near.lies[near.tags["charts/app", "1.2.0"]] = b"{}"
    assert main(["copy", f"{near.location}/", f"{far.location}/", "*/a*", "nosuch:1", "--json"]) == 4
    found = schemas.check("copy", capsys.readouterr().out)
    assert {error["source"] for error in found["errors"]} == {"charts/app:1.2.0", "nosuch:1"}
    assert ("team/api", "1.4.2") in far.tags


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["NEAR/", "FAR/"], 2, "names no image"),
        (["NEAR/app:1", "FAR/", "--all"], 2, "is one image"),
        (["NEAR/app", "FAR/x:1", "--all"], 2, "one name for many"),
        (["NEAR/", "FAR/x", "--all"], 2, "one name for many"),
        (["NEAR/", "FAR/", "--all", "x"], 2, "choose one"),
        (["NEAR/", "FAR/", "ghcr.io/x*"], 2, "names a registry"),
        (["NEAR/app:1", "FAR/x@DIGEST"], 2, "has a digest"),
        (["NEAR/app:1", "ghcr.io"], 2, "may be a registry"),
        (["NEAR/nosuch:1", "FAR/"], 4, "does not have `nosuch:1`"),
        (["NEAR/nosuch:1", "FAR/x:2"], 4, "error: the registry at NEAR does not have `nosuch:1`"),
        (["NEAR/nosuch", "FAR/", "--all"], 4, "does not have `nosuch`"),
        (["NEAR/App:1", "FAR/"], 2, "lower case"),
        (["app:1", "FAR/"], 3, "no engine"),
    ],
)
def test_what_cannot_be_copied_is_refused(
    near: Remote, far: Remote, capsys: pytest.CaptureFixture[str], *, arguments: list[str], code: int, words: str
) -> None:
    fill(near)
    places = {"NEAR": near.location, "FAR": far.location, "DIGEST": f"sha256:{'0' * 64}"}
    for name, value in places.items():
        arguments = [word.replace(name, value) for word in arguments]
        words = words.replace(name, value)
    assert main(["copy", *arguments]) == code
    assert words in " ".join(capsys.readouterr().err.split())
    assert not far.tags


def test_a_registry_that_is_not_there_is_named(
    far: Remote, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert main(["copy", f"127.0.0.1:{port}/app:1", f"{far.location}/"]) == 6
    assert f"127.0.0.1:{port}: nothing listens there" in capsys.readouterr().err

    def fail(*_args: object, **_kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert main(["copy", "registry.invalid/app:1", f"{far.location}/"]) == 6
    assert "registry.invalid: its name is not known" in capsys.readouterr().err


def test_a_registry_that_lists_nothing_tells_what_to_name(
    near: Remote, far: Remote, capsys: pytest.CaptureFixture[str]
) -> None:
    near.answers["GET /v2/_catalog"] = [(404, {})]
    assert main(["copy", f"{near.location}/", f"{far.location}/", "--all"]) == 6
    assert "does not list its repositories" in capsys.readouterr().err


def test_the_registry_of_the_command_has_no_host(
    registry: FakeRegistry, up: FakeEngine, far: Remote, location: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Shelf(InFake(registry), "team/web").image("1")
    del up
    assert main(["copy", "team/web:1", f"{far.location}/"]) == 0
    assert far.tags == {("team/web", "1"): registry.tags["team/web"]["1"]}  # type: ignore[index]
    far.tags.clear()
    assert main(["copy", f"{location}/", f"{far.location}/below/", "--all"]) == 0
    assert set(far.tags) == {("below/team/web", "1")}
    # Other programs take a short name for one of Docker Hub.
    assert main(["copy", "alpine:3", f"{far.location}/"]) == 4
    assert "images of Docker Hub begin with `docker.io/`" in " ".join(capsys.readouterr().err.split())
    assert main(["copy", "team/web", f"{far.location}/"]) == 4
    assert "hint: name a tag, or add --all" in capsys.readouterr().err


def test_a_registry_that_was_just_started_is_waited_for(registry: FakeRegistry, up: FakeEngine, far: Remote) -> None:
    Shelf(InFake(registry), "team/web").image("1")
    registry.faults["/v2/"] = "busy"
    del up
    assert main(["copy", "team/web:1", f"{far.location}/"]) == 0
    assert not registry.faults
