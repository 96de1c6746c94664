from __future__ import annotations

import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from localreg.errors import InvalidReferenceError
from localreg.oci.reference import Reference, looks_like_image_id, parse_reference, registry_reference

F64 = "f" * 64
F128 = "f" * 128

# The inputs of reference_test.go and normalize_test.go in github.com/distribution/reference; the registry is told
# from the repository as its ParseNormalizedNamed does.
VALID = [
    ("test_com", None, "test_com", None, None),
    ("test.com:tag", None, "test.com", "tag", None),
    ("test.com:5000", None, "test.com", "5000", None),
    ("test.com/repo:tag", "test.com", "repo", "tag", None),
    ("test:5000/repo", "test:5000", "repo", None, None),
    ("test:5000/repo:tag", "test:5000", "repo", "tag", None),
    (f"test:5000/repo@sha256:{F64}", "test:5000", "repo", None, f"sha256:{F64}"),
    (f"test:5000/repo:tag@sha256:{F64}", "test:5000", "repo", "tag", f"sha256:{F64}"),
    ("lowercase:Uppercase", None, "lowercase", "Uppercase", None),
    ("example.com/" + "a" * 255 + ":tag", "example.com", "a" * 255, "tag", None),
    ("a/" * 127 + "a:tag-puts-this-over-max", None, "a/" * 127 + "a", "tag-puts-this-over-max", None),
    ("sub-dom1.foo.com/bar/baz/quux", "sub-dom1.foo.com", "bar/baz/quux", None, None),
    ("sub-dom1.foo.com/bar/baz/quux:some-long-tag", "sub-dom1.foo.com", "bar/baz/quux", "some-long-tag", None),
    ("b.gcr.io/test.example.com/my-app:test.com", "b.gcr.io", "test.example.com/my-app", "test.com", None),
    ("xn--n3h.com/myimage:xn--n3h.com", "xn--n3h.com", "myimage", "xn--n3h.com", None),
    (f"xn--7o8h.com/myimage:xn--7o8h.com@sha512:{F128}", "xn--7o8h.com", "myimage", "xn--7o8h.com", f"sha512:{F128}"),
    ("foo_bar.com:8080", None, "foo_bar.com", "8080", None),
    ("foo/foo_bar.com:8080", None, "foo/foo_bar.com", "8080", None),
    ("192.168.1.1", None, "192.168.1.1", None, None),
    ("192.168.1.1:5000", None, "192.168.1.1", "5000", None),
    ("192.168.1.1:5000/repo:5050", "192.168.1.1:5000", "repo", "5050", None),
    ("[2001:db8::1]/repo", "[2001:db8::1]", "repo", None, None),
    ("[2001:db8:1:2:3:4:5:6]/repo:tag", "[2001:db8:1:2:3:4:5:6]", "repo", "tag", None),
    ("[2001:db8::1]:5000/repo", "[2001:db8::1]:5000", "repo", None, None),
    (f"[2001:db8::1]:5000/repo:tag@sha256:{F64}", "[2001:db8::1]:5000", "repo", "tag", f"sha256:{F64}"),
    ("[2001:db8::]:5000/repo", "[2001:db8::]:5000", "repo", None, None),
    ("[::1]:5000/repo", "[::1]:5000", "repo", None, None),
    ("Uppercase/lowercase:tag", "Uppercase", "lowercase", "tag", None),
    ("docker/docker", None, "docker/docker", None, None),
    ("docker.io/docker/docker", "docker.io", "docker/docker", None, None),
    ("localhost/library/debian", "localhost", "library/debian", None, None),
    ("foo/bar", None, "foo/bar", None, None),
    ("foo-----bar/x__y", None, "foo-----bar/x__y", None, None),
    ("127.0.0.1:5000/docker/docker", "127.0.0.1:5000", "docker/docker", None, None),
    ("a--a/a--b/cc", None, "a--a/a--b/cc", None, None),
]  # fmt: skip

INVALID = [
    "",
    ":justtag",
    f"@sha256:{F64}",
    "repo@sha256:" + "f" * 34,
    f"validname@invaliddigest:{F128}",
    f"repo@sha256:{F64.upper()}",
    "Uppercase:tag",
    "test:5000/Uppercase/lowercase:tag",
    "a/" * 128 + "a:tag",
    "domain/" + "a" * 256 + ":tag",
    "aa/asdf$$^/aa",
    "[2001:db8::1]",
    "[2001:db8::1]:5000",
    "[2001:db8::1]:tag",
    "[fe80::1%eth0]:5000/repo",
    "[fe80::1%@invalidzone]:5000/repo",
    "https://github.com/docker/docker",
    "docker/Docker",
    "-docker",
    "-docker/docker",
    "-docker.io/docker/docker",
    "docker///docker",
    "docker.io/docker/Docker",
    "docker.io/docker///docker",
    "foo//bar",
    "foo/",
    "/foo",
    "foo:",
    "foo@",
    "foo:tag:tag",
    "foo:" + "t" * 129,
    "foo:.tag",
    "foo:-tag",
    "a_._b",
    "a..b",
    "a___b",
    "name\n",
    "name:tag\n",
    "\uff46\uff4f\uff4f",
    "foo bar",
    "test.com:port/foo",
    "0" * 64,
    f"sha256:{F64}",
    "asdf.com/$$asdf$$",
]


@pytest.mark.parametrize(("text", "domain", "path", "tag", "digest"), VALID)
def test_the_grammar_accepts(text: str, domain: str | None, path: str, tag: str | None, digest: str | None) -> None:
    assert parse_reference(text) == Reference(domain, path, tag, digest)
    assert str(parse_reference(text)) == text


@pytest.mark.parametrize("text", INVALID)
def test_the_grammar_refuses(text: str) -> None:
    with pytest.raises(InvalidReferenceError):
        parse_reference(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("localhost:5000/Team/api:1", "`Team/api`"),
        ("team/api:1.0+ds1", "`1.0+ds1`"),
        ("team/api@sha256:abc", "`sha256:abc`"),
        ("exa_mple.com/api", "`exa_mple.com`"),
    ],
)
def test_the_error_names_the_offending_part(text: str, part: str) -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        parse_reference(text)
    assert part in caught.value.message
    assert f"`{text}`" in caught.value.message


def test_upper_case_is_cured_by_the_hint() -> None:
    with pytest.raises(InvalidReferenceError) as caught:
        parse_reference("team/API/api")
    assert str(caught.value.hint).split()[-1] == "team/api/api"


def test_a_url_is_cured_by_the_hint() -> None:
    with pytest.raises(InvalidReferenceError, match="`https://`") as caught:
        parse_reference("https://ghcr.io/org/app:1")
    assert str(caught.value.hint).split()[-1] == "ghcr.io/org/app:1"


components = st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,6}){0,2}", fullmatch=True)
paths = st.lists(components, min_size=1, max_size=4).map("/".join)
domains = st.from_regex(r"([a-z0-9]{1,8}\.[a-z]{2,5}|localhost)(:[0-9]{1,5})?|[a-z0-9]{1,8}:[0-9]{1,5}", fullmatch=True)
tags = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}", fullmatch=True).filter(str.isascii)
digests = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:".__add__)
references = st.builds(Reference, st.none() | domains, paths, st.none() | tags, st.none() | digests)


@given(references)
def test_what_the_grammar_generates_is_parsed_back(reference: Reference) -> None:
    first, slash, _ = reference.repository.partition("/")
    assume(reference.registry or not (slash and ("." in first or first == "localhost")))
    assert parse_reference(str(reference)) == reference


@given(st.text(max_size=60) | st.text(string.ascii_letters + string.digits + "/:@.-_[]", max_size=60))
def test_any_text_is_a_reference_or_an_error_of_ours(text: str) -> None:
    try:
        reference = parse_reference(text)
    except InvalidReferenceError:
        return
    assert str(reference) == text


@given(references)
def test_naming_an_image_for_the_registry_twice_changes_nothing(reference: Reference) -> None:
    once = registry_reference(reference, registry="localhost:5000")
    assert registry_reference(once, registry="localhost:5000") == once
    assert parse_reference(str(once)) == once


@pytest.mark.parametrize(
    ("image", "complete"),
    [
        ("ansible-playbook", "localhost:5000/ansible-playbook:latest"),
        ("ansible-playbook:latest", "localhost:5000/ansible-playbook:latest"),
        ("ghcr.io/org/app:1", "localhost:5000/org/app:1"),
        ("docker.io/library/alpine", "localhost:5000/alpine:latest"),
        ("index.docker.io/library/alpine", "localhost:5000/alpine:latest"),
        ("docker.io/org/app:2", "localhost:5000/org/app:2"),
        ("ghcr.io/library/app", "localhost:5000/library/app:latest"),
        ("localhost/ansible-playbook:3", "localhost:5000/ansible-playbook:3"),
        ("localhost:5000/team/api:dev", "localhost:5000/team/api:dev"),
        ("localhost:5001/team/api:dev", "localhost:5000/team/api:dev"),
        (f"team/api@sha256:{F64}", f"localhost:5000/team/api@sha256:{F64}"),
        (f"team/api:1@sha256:{F64}", f"localhost:5000/team/api@sha256:{F64}"),
    ],
)
def test_the_name_of_an_image_in_the_registry(image: str, complete: str) -> None:
    assert str(registry_reference(parse_reference(image), registry="localhost:5000")) == complete


def test_only_a_whole_id_is_certainly_an_id() -> None:
    assert looks_like_image_id(f"sha256:{F64}")
    assert looks_like_image_id("0" * 64)
    assert not looks_like_image_id("cafe")
    assert not looks_like_image_id("0" * 12)


@pytest.mark.parametrize("path", ["a" * 248, "0123456789abcdef" * 4])
def test_a_repository_that_distribution_fails_on_is_refused(path: str) -> None:
    with pytest.raises(InvalidReferenceError):
        registry_reference(Reference(None, path, "1"), registry="localhost:5000")
    within = registry_reference(Reference(None, f"team/{path}", "1"), registry="localhost:5000")
    assert within.repository == f"team/{path}"
