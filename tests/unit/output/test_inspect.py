from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from support.registries.fake import LAYER, FakeRegistry, child
from support.registries.shelf import InFake, Shelf
from unit.content.test_inspect import inspected, registry_at

from localreg.content.inspect import Inspected, Inspector
from localreg.content.inspected import Layer
from localreg.oci.api import RegistryClient
from localreg.oci.config import HistoryEntry
from localreg.oci.manifest import Descriptor
from localreg.output.inspect import render

WIDTHS = (40, 80, 120, 200)


@pytest.fixture
def inspector(registry: FakeRegistry) -> Iterator[Inspector]:
    shelf = Shelf(InFake(registry), "team/api")
    index = shelf.index("1", "latest")
    shelf.signature(index["digest"])
    shelf.sbom(index, listed=True)
    shelf.image("image")
    shelf.chart("chart")
    with RegistryClient(registry.base_url) as client:
        yield Inspector(registry_at(registry.base_url), client, None)


def screen(*results: Inspected, width: int = 80) -> str:
    return render(results, location="localhost:5000", command="localreg").table(width)


def sections(text: str) -> dict[str, list[str]]:
    """The lines of each section, by its heading."""
    first, *rest = text.split("\n\n")
    return {"": first.splitlines(), **{part.splitlines()[0]: part.splitlines()[1:] for part in rest}}


def test_the_first_lines_tell_what_it_is(inspector: Inspector) -> None:
    index = inspected(inspector, "team/api:1")
    head = sections(screen(index))[""]
    location = index.found.registry
    assert head[0].startswith(f"{location}/team/api:1: index for linux/amd64 and linux/arm64, ")
    assert head[1] == f"  {index.found.stored.digest}"
    assert head[-2:] == [
        "  same as  team/api:latest",
        "  next     localreg inspect team/api:1 --platform linux/amd64",
    ]
    assert ": Helm chart, 3.52 kB\n" in screen(inspected(inspector, "team/api:chart"))
    chosen = sections(screen(inspected(inspector, "team/api:1", "linux/arm64")))[""]
    assert ": image for linux/arm64, " in chosen[0]
    assert f"  part of  team/api@{index.found.stored.digest[:19]}" in chosen


def test_a_digest_in_the_first_line_is_short(inspector: Inspector) -> None:
    digest = inspected(inspector, "team/api:image").found.stored.digest
    assert f"/team/api@{digest[:19]}: image" in screen(inspected(inspector, f"team/api@{digest}"))


def test_the_next_command_can_be_copied(inspector: Inspector, registry: FakeRegistry) -> None:
    first, second = registry.put_image(), registry.put_image(platform="windows/amd64")
    windows = {"platform": {"os": "windows", "os.version": "10.0.1", "architecture": "amd64; ls"}}
    registry.put_index([{**child(second), **windows}, child(first, "linux/amd64")], at="app:1")
    head = sections(screen(inspected(inspector, "app:1"), width=120))[""]
    assert head[-1] == "  next     localreg inspect app:1 --platform 'windows(10.0.1)/amd64; ls'"


def test_many_platforms_are_counted(inspector: Inspector, registry: FakeRegistry) -> None:
    names = ("amd64", "arm64", "s390x", "ppc64le", "riscv64")
    registry.put_index(
        [child(registry.put_image(platform=f"linux/{name}"), f"linux/{name}") for name in names], at="app:1"
    )
    assert ": index for 5 platforms, " in screen(inspected(inspector, "app:1"))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["team/api:1", "team/api:image", "team/api:chart"])
def test_no_line_is_wider_than_the_terminal_but_for_a_word(inspector: Inspector, width: int, name: str) -> None:
    lines = screen(inspected(inspector, name), width=width).splitlines()
    wide = [line.split() for line in lines if len(line) > width]
    # A digest, a media type, a variable: what could not be copied if it were broken. It may stand after its name.
    assert all(len(words) <= 2 for words in wide), wide


@pytest.mark.parametrize("width", WIDTHS)
def test_digests_of_platforms_are_whole_where_there_is_room(inspector: Inspector, width: int) -> None:
    index = inspected(inspector, "team/api:1")
    line = sections(screen(index, width=width))["Platforms"][1]
    digest = index.manifests[0].digest
    assert (digest in line, digest[7:19] in line) == (width >= 120, True)


def test_steps_stand_beside_the_layers_that_they_made(inspector: Inspector) -> None:
    image = inspected(inspector, "team/api:image")
    heading, *rows = sections(screen(image, width=200))["Layers"]
    assert heading.split() == ["DIGEST", "SIZE", "SHARED", "WITH", "CREATED", "BY"]
    steps = [row[heading.index("CREATED BY") :] for row in rows]
    assert steps == [
        "ADD rootfs.tar.gz /",
        'CMD ["/bin/sh"]',
        "ENV APP_HOME=/srv/app",
        "RUN apk add --no-cache ca-certificates tini curl && rm -rf /var/cache",
        "COPY api /srv/app/api",
    ]
    assert [bool(row[:14].strip()) for row in rows] == [True, False, False, True, True]
    assert "team/api:1, team/api:latest" in rows[0]
    cut = sections(screen(image))["Layers"][4]
    assert "RUN apk add " in cut
    assert (cut[-1], len(cut)) == ("…", 80)
    narrow = sections(screen(image, width=40))
    assert "CREATED BY" not in narrow["Layers"][0]
    assert [step.strip()[:20] for step in narrow["History"]] == [step[:20] for step in steps]


@pytest.mark.parametrize(("width", "few", "shows_steps"), [(80, 1, False), (120, 1, True), (160, 3, True)])
def test_names_that_share_a_layer_leave_room_for_the_steps(
    *, inspector: Inspector, width: int, few: int, shows_steps: bool
) -> None:
    image = inspected(inspector, "team/api:image")
    assert image.only is not None
    names = tuple(f"team/a-repository-of-thirty/x:{number}" for number in range(5))
    layers = (replace(image.only.layers[0], shared_with=names), *image.only.layers[1:])
    found = sections(screen(replace(image, manifests=(replace(image.only, layers=layers),)), width=width))
    assert f"{', '.join(names[:few])}, +{5 - few} more" in found["Layers"][1]
    assert ("CREATED BY" in found["Layers"][0], "History" in found) == (shows_steps, not shows_steps)


def test_a_history_that_does_not_fit_the_layers_stands_alone(inspector: Inspector, registry: FakeRegistry) -> None:
    Shelf(InFake(registry), "app").image("1", layers=[b"one"])
    found = sections(screen(inspected(inspector, "app:1")))
    assert "CREATED BY" not in found["Layers"][0]
    assert found["History"][1] == '  CMD ["/bin/sh"]'
    assert "History" not in sections(screen(inspected(inspector, "team/api:image")))


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ('/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'),
        ("/bin/sh -c #(nop) ADD file:1 in / ", "ADD file:1 in /"),
        ("/bin/sh -c apk add curl", "RUN apk add curl"),
        ("RUN /bin/sh -c apk add curl # buildkit", "RUN apk add curl"),
        ("RUN |1 A=1 /bin/sh -c make # buildkit", "RUN |1 A=1 /bin/sh -c make"),
        ("bazel build ...", "bazel build ..."),
        ("echo \x1b[31mred\x1b[0m\n\ttwo", r"echo \x1b[31mred\x1b[0m two"),
    ],
)
def test_steps_are_shown_as_a_dockerfile_has_them(inspector: Inspector, stored: str, shown: str) -> None:
    image = inspected(inspector, "team/api:image")
    assert image.only is not None
    assert image.only.config is not None
    config = replace(image.only.config, _content={"history": [{"created_by": stored}]})
    layer = replace(image.only.layers[0], step=HistoryEntry(created_by=stored))
    manifest = replace(image.only, config=config, layers=(layer,))
    assert sections(screen(replace(image, manifests=(manifest,)), width=200))["Layers"][1].endswith(f"   {shown}")


def test_files_of_an_artifact_have_their_names_and_unusual_types(inspector: Inspector) -> None:
    image = inspected(inspector, "team/api:chart")
    assert image.only is not None
    titled = Descriptor("text/x", "sha256:" + "1" * 64, 5, annotations={"org.opencontainers.image.title": "a.txt"})
    shown = replace(image, manifests=(replace(image.only, layers=(*image.only.layers, Layer(titled))),))
    heading, chart, text = sections(screen(shown, width=200))["Content"]
    assert heading.split() == ["DIGEST", "SIZE", "FILE", "TYPE"]
    assert chart.split()[-1] == "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
    assert text.split() == ["111111111111", "5", "B", "a.txt", "text/x"]


def test_attestations_and_referrers(inspector: Inspector) -> None:
    index = inspected(inspector, "team/api:1")
    found = sections(screen(index))
    assert [line.split()[-2:] for line in found["Attestations"][1:]] == [
        ["linux/amd64", "slsa.dev/provenance/v1"],
        ["linux/arm64", "slsa.dev/provenance/v1"],
    ]
    stem = index.found.stored.digest.replace(":", "-")[:19]
    assert [line.split()[-1] for line in found["Referrers"][1:]] == [f"{stem}…", f"{stem}….sig"]


def test_problems_and_what_was_not_looked_up_are_in_the_head(inspector: Inspector) -> None:
    index = inspected(inspector, "team/api:1")
    first, second = index.manifests
    problem = f"layer {first.digest} is missing"
    broken = replace(index, manifests=(first, replace(second, problems=(problem,))), not_looked_up="too many")
    head = sections(screen(broken))[""]
    assert f"  problem  linux/arm64: layer {first.digest[:19]}… is missing" in head
    assert "  sharing  not known: too many" in head


def test_an_index_of_layers_has_no_manifests(inspector: Inspector, registry: FakeRegistry) -> None:
    digest, size = registry.put_blob(b"layer")
    registry.put_index([{"mediaType": LAYER, "digest": digest, "size": size}], at="cache:1")
    found = inspected(inspector, "cache:1")
    assert list(sections(screen(found))) == ["", "Layers"]
    plain = render([found], location="localhost:5000", command="localreg").plain()
    assert [line.partition("\t")[0] for line in plain.splitlines()][-1] == "layer"
    assert "\nmanifest\t" not in plain


def test_foreign_text_does_not_reach_the_terminal(inspector: Inspector) -> None:
    index = inspected(inspector, "team/api:1")
    hostile = "\x1b]0;x\x07\u202e\n"
    first, second = index.manifests
    shown = replace(
        index,
        annotations={hostile: hostile},
        same_as=(hostile,),
        platforms=(hostile,),
        media_type=hostile,
        manifests=(replace(first, platform=hostile), replace(second, problems=(hostile,))),
        attestations=tuple(
            replace(one, predicates=(hostile,), error=hostile, tag=hostile) for one in index.attestations
        ),
        pushed=datetime(2026, 11, 1, tzinfo=UTC),
    )
    rendered = render([shown], location="localhost:5000", command="localreg")
    for text in (screen(shown), screen(shown, width=200), rendered.plain()):
        assert all(line.replace("\t", "").isprintable() for line in text.splitlines())
    assert r"\x1b]0;x" in screen(shown)


def test_plain_text_is_a_name_and_values_in_each_line(inspector: Inspector) -> None:
    image, index = inspected(inspector, "team/api:image"), inspected(inspector, "team/api:1")
    rendered = render([image, index], location="localhost:5000", command="localreg")
    lines = [line.split("\t") for line in rendered.plain().splitlines()]
    names = [line[0] for line in lines]
    assert names.count("reference") == 2
    assert (names.count("layer"), names.count("history"), names.count("env")) == (3, 5, 2)
    assert (names.count("manifest"), names.count("attestation"), names.count("referrer")) == (2, 2, 2)
    assert next(line for line in lines if line[0] == "label") == [
        "label",
        "org.opencontainers.image.revision",
        "4f2e23a9",
    ]
    layer = next(line for line in lines if line[0] == "layer")
    assert layer[4:] == ["team/api:1,team/api:latest", "ADD rootfs.tar.gz / # buildkit"]
    assert rendered.quiet is not None
    assert rendered.quiet().splitlines() == [one.found.by_digest for one in (image, index)]
