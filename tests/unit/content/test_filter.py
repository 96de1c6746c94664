"""The filters of `ls`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from localreg.content.filter import read_filters
from localreg.content.listed import ListedImage
from localreg.errors import UsageError
from localreg.oci.artifact import Artifact

NOW = datetime(2026, 11, 15, tzinfo=UTC)
IMAGE = ListedImage(
    "app", "1", f"sha256:{'ab' * 32}", platforms=("linux/amd64", "linux/arm64/v8"), pushed=NOW - timedelta(days=10)
)
WINDOWS = replace(IMAGE, platforms=("windows(10.0.20348.1)/amd64",))
CHART = ListedImage("chart", "1", artifact=Artifact("Helm chart", "application/vnd.cncf.helm.config.v1+json"))
SIGNED = ListedImage("app", "sha256-1", artifact=Artifact("Sigstore bundle, SBOM", None))
BROKEN = ListedImage("app", "broken", error="it cannot be read")


@pytest.mark.parametrize(
    ("texts", "row"),
    [
        ([], BROKEN),
        (["kind=image"], IMAGE),
        (["kind=Helm chart"], CHART),
        (["kind=helm-chart"], CHART),
        (["kind=application/vnd.cncf.helm.config.v1+json"], CHART),
        (["kind=sbom"], SIGNED),
        (["kind=image", "kind=helm-chart"], CHART),
        (["platform=linux"], IMAGE),
        (["platform=linux/arm64"], IMAGE),
        (["platform=linux/arm64/v8"], IMAGE),
        (["platform=windows/amd64"], WINDOWS),
        (["platform=Linux/AMD64", "kind=image"], IMAGE),
        (["digest=sha256:ababab"], IMAGE),
        (["digest=abababab"], IMAGE),
        (["since=14d"], IMAGE),
        (["until=2026-11-06"], IMAGE),
        (["since=14d", "until=7d"], IMAGE),
    ],
)
def test_a_row_that_fits(texts: list[str], row: ListedImage) -> None:
    assert read_filters(texts, now=NOW).fits(row)


@pytest.mark.parametrize(
    ("texts", "row"),
    [
        (["kind=image"], CHART),
        (["kind=image"], BROKEN),
        (["kind=artifact"], CHART),
        (["platform=linux/arm"], IMAGE),
        (["platform=arm64"], IMAGE),
        (["platform=linux/amd64/v2"], IMAGE),
        (["platform=linux"], CHART),
        (["kind=image", "platform=windows"], IMAGE),
        (["digest=sha256:bababa"], IMAGE),
        (["digest=ababab"], CHART),
        (["since=7d"], IMAGE),
        (["until=14d"], IMAGE),
        (["since=1970-01-01"], CHART),
        (["until=0s"], CHART),
    ],
)
def test_a_row_that_does_not_fit(texts: list[str], row: ListedImage) -> None:
    assert not read_filters(texts, now=NOW).fits(row)


@pytest.mark.parametrize(
    ("text", "fact", "hint"),
    [
        ("size=1", "`size` is not a filter", "kind, platform, digest, since or until"),
        ("kind", "`kind` is not a filter", "KEY=VALUE"),
        ("=", "an empty value is not a filter", "KEY=VALUE"),
        ("kind=chart", "`chart` is not a kind", "helm-chart"),
        ("kind=", "an empty value is not a kind", "helm-chart"),
        ("platform=linux/", "`linux/`", "linux/arm64"),
        ("platform=", "an empty value", "linux/arm64"),
        ("digest=abc", "`abc`", "6"),
        ("digest=sha512:abcdef", "`sha512:abcdef`", "sha256"),
        ("since=last week", "`last week`", "10m"),
    ],
)
def test_a_filter_that_is_not_valid_is_a_usage_error(text: str, fact: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_filters([text])
    assert fact in caught.value.message
    assert hint in str(caught.value.hint)


def test_only_times_of_pushes_need_the_volume() -> None:
    assert [read_filters([text]).needs_pushes for text in ("since=1d", "until=1d", "kind=image")] == [True, True, False]
    assert not read_filters([])
