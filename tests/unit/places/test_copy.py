"""How the two ends of `copy` are spelled, and the index that tells of an image's referrers."""

from __future__ import annotations

import json

import pytest

from localreg.errors import InvalidReferenceError, UsageError
from localreg.oci.api import StoredManifest
from localreg.oci.digest import digest_of
from localreg.oci.manifest import DOCKER_INDEX, OCI_INDEX, OCI_MANIFEST
from localreg.places.copy import End, read_end
from localreg.places.referrers_tag import is_referrers_tag, merged, stem_of, with_referrers

DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("app", End(None, "app")),
        ("app:5000", End(None, "app", "5000")),
        ("team/app:1", End(None, "team/app", "1")),
        (f"team/app@{DIGEST}", End(None, "team/app", None, DIGEST)),
        ("localhost/team/app:1", End(None, "team/app", "1")),
        ("localhost:5001/app:1", End("localhost:5001", "app", "1")),
        ("[::1]:5001/app", End("[::1]:5001", "app")),
        ("ghcr.io/example/app:1", End("ghcr.io", "example/app", "1")),
        ("docker.io/alpine:3", End("docker.io", "library/alpine", "3")),
        ("index.docker.io/example/app", End("docker.io", "example/app")),
        ("/", End(None, "", is_folder=True)),
        ("team/", End(None, "team", is_folder=True)),
        ("localhost/", End(None, "", is_folder=True)),
        ("localhost:5001", End("localhost:5001", "", is_folder=True)),
        ("localhost:5001/", End("localhost:5001", "", is_folder=True)),
        ("127.0.0.1:5001", End("127.0.0.1:5001", "", is_folder=True)),
        ("[::1]:5001", End("[::1]:5001", "", is_folder=True)),
        ("ghcr.io/", End("ghcr.io", "", is_folder=True)),
        ("ghcr.io/example/", End("ghcr.io", "example", is_folder=True)),
        ("docker.io/", End("docker.io", "", is_folder=True)),
    ],
)
def test_an_end_is_a_registry_a_repository_or_what_is_below(text: str, end: End) -> None:
    assert read_end(text) == end


@pytest.mark.parametrize("text", ["ghcr.io", "registry.example.com:5000", "app.web:1"])
def test_a_name_that_may_be_both_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_end(text)
    assert f"{text}/" in str(caught.value.hint)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "App",
        "https://ghcr.io/",
        "a b",
        "//",
        "team//",
        "app:",
        f"app@{DIGEST}/",
        "localhost:99999/app",
        "ghcr.io:99999/",
    ],
)
def test_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidReferenceError):
        read_end(text)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("/mirror/", "`/mirror/` begins with `/`", "use mirror/"),
        ("ghcr.io/Team/", "`Team` in `ghcr.io/Team`", "use ghcr.io/team"),
        ("http://ghcr.io/team/", "`http://ghcr.io/team/` is a URL", "use ghcr.io/team/"),
        ("ghcr.io/team/app:1/", "`ghcr.io/team/app:1/` has a tag", None),
    ],
)
def test_an_error_has_only_what_was_typed(text: str, said: str, hint: str | None) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        read_end(text)
    assert said in caught.value.message
    assert caught.value.hint == hint


def manifest(media_type: str = OCI_MANIFEST, **content: object) -> StoredManifest:
    config = {"mediaType": "application/x-config", "digest": DIGEST, "size": 2}
    body = {"config": config} if media_type == OCI_MANIFEST else {}
    data = json.dumps({"schemaVersion": 2, "mediaType": media_type, **body, **content}).encode()
    return StoredManifest(data, media_type, digest_of(data))


def listed(index: StoredManifest) -> list[dict[str, object]]:
    assert digest_of(index.data) == index.digest
    found: list[dict[str, object]] = json.loads(index.data)["manifests"]
    return found


def test_an_index_of_referrers_tells_their_kind_and_annotations() -> None:
    plain = manifest(annotations={"a": "b"})
    typed = manifest(artifactType="application/x-sbom")
    index = with_referrers(None, [plain, typed])
    assert listed(index) == [
        {
            "mediaType": OCI_MANIFEST,
            "digest": plain.digest,
            "size": len(plain.data),
            "artifactType": "application/x-config",
            "annotations": {"a": "b"},
        },
        {
            "mediaType": OCI_MANIFEST,
            "digest": typed.digest,
            "size": len(typed.data),
            "artifactType": "application/x-sbom",
        },
    ]
    assert with_referrers(index, [typed, plain]) is index


def test_a_referrer_that_was_removed_is_not_listed_again() -> None:
    gone, there, new = (manifest(annotations={"number": number}) for number in "123")
    before = with_referrers(None, [gone, there])
    after = with_referrers(before, [new], is_there=lambda digest: digest != gone.digest)
    assert [each["digest"] for each in listed(after)] == [there.digest, new.digest]
    assert with_referrers(before, [there], is_there=lambda _: False) is before


def test_what_is_no_index_stays() -> None:
    other = manifest()
    assert with_referrers(other, [manifest(a="b")]) is other


def test_two_indexes_of_referrers_become_one() -> None:
    one, two = (manifest(annotations={"number": number}) for number in "12")
    first, second = with_referrers(None, [one]), with_referrers(None, [two])
    both = merged(first, second)
    assert {each["digest"] for each in listed(both)} == {one.digest, two.digest}
    assert merged(first, both) is both
    assert merged(manifest(), second) is second


def test_the_tag_of_a_digest() -> None:
    assert is_referrers_tag(stem_of(DIGEST))
    assert is_referrers_tag(stem_of(f"sha512:{'0' * 128}"))
    assert not is_referrers_tag(f"{stem_of(DIGEST)}.sig")
    assert merged(manifest(DOCKER_INDEX, manifests=[]), manifest(OCI_INDEX, manifests=[])).media_type == OCI_INDEX
