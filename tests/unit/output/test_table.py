from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from localreg.content.listed import ListedImage, Listing
from localreg.oci.artifact import Artifact
from localreg.output import table as table_module
from localreg.output.ls import render
from localreg.output.table import columns

DIGEST = "sha256:" + "9f86d081884c7d65" * 4
LISTING = Listing(
    (
        ListedImage(
            "ansible-playbook", "latest", DIGEST, "m", ("linux/amd64",), 412_000_000, datetime(2020, 1, 1, tzinfo=UTC)
        ),
        ListedImage("team/api", "1.4.2", DIGEST, "m", ("linux/amd64", "linux/arm64"), 88_000_000, None),
        ListedImage("team/api", "broken", error="its manifest cannot be read"),
    )
)


def table(width: int) -> list[str]:
    return render(LISTING, location="localhost:5000").table(width).splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(len, table(width))) <= width


@pytest.mark.parametrize("width", [100, 200])
def test_where_there_is_room_an_image_is_one_line_with_everything(width: int) -> None:
    lines = table(width)
    assert len(lines) == 4
    assert lines[0].split() == ["REPOSITORY", "TAG", "DIGEST", "PLATFORMS", "SIZE", "CREATED"]
    assert "linux/amd64,arm64" in lines[2]
    assert "its manifest cannot be read" in lines[3]


def test_push_times_are_shown_if_any_is_known() -> None:
    rows = (replace(LISTING.rows[0], pushed=datetime(2021, 1, 1, tzinfo=UTC)), LISTING.rows[1])
    rendered = render(Listing(rows), location="localhost:5000")
    assert rendered.table(200).splitlines()[0].split()[-2:] == ["CREATED", "PUSHED"]
    assert rendered.table(80).splitlines()[0].split() == ["REPOSITORY", "TAG", "DIGEST", "PLATFORMS", "SIZE", "PUSHED"]
    assert [line.split("\t")[6] for line in rendered.plain().splitlines()] == ["2021-01-01T00:00:00+00:00", ""]
    assert [image["pushed"] for image in rendered.json()["images"]] == ["2021-01-01T00:00:00+00:00", None]


def test_whole_digests_are_shown_if_asked_for() -> None:
    # A folded digest could not be copied.
    narrow = render(LISTING, location="localhost:5000", full_digests=True).table(80).splitlines()
    assert [DIGEST in line for line in narrow] == [False, True, True, False]
    assert "its manifest cannot be read" in narrow[3]
    few = render(Listing(LISTING.rows[:2]), location="localhost:5000", full_digests=True).table(80).splitlines()
    assert few[0].split() == ["REPOSITORY", "TAG", "DIGEST", "SIZE"]
    assert DIGEST in render(LISTING, location="localhost:5000", full_digests=True).table(200)


def test_where_there_is_little_room_names_and_sizes_stay_whole() -> None:
    lines = render(Listing(LISTING.rows[:2]), location="localhost:5000").table(40).splitlines()
    assert lines[0].split() == ["REPOSITORY", "TAG", "SIZE"]
    assert lines[1].split() == ["ansible-playbook", "latest", "412", "MB"]


def test_one_long_tag_is_folded_and_the_rows_of_the_others_stay_as_they_are() -> None:
    tag = "feature-" + "x" * 100
    rows = [*LISTING.rows[:2], replace(LISTING.rows[0], tag=tag)]
    lines = render(Listing(tuple(rows)), location="localhost:5000").table(80).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["REPOSITORY", "TAG", "DIGEST", "PLATFORMS", "SIZE", "CREATED"]
    assert lines[1].split()[:6] == ["ansible-playbook", "latest", DIGEST[7:19], "linux/amd64", "412", "MB"]
    assert lines[1].endswith("years ago")
    assert "".join(line.split()[0] for line in lines[4:]) == tag[-sum(len(line.strip()) for line in lines[4:]) :]


def test_the_digest_in_the_tag_of_a_signature_is_short() -> None:
    tag = f"sha256-{'0' * 64}.sig"
    listing = Listing((replace(LISTING.rows[0], repository="app", tag=tag),))
    shown = render(listing, location="localhost:5000")
    assert shown.table(80).splitlines()[1].split()[:3] == ["app", f"sha256-{'0' * 12}….sig", DIGEST[7:19]]
    assert shown.plain().split("\t")[1] == tag
    assert shown.quiet is not None
    assert tag in shown.quiet()
    assert tag in render(listing, location="localhost:5000", full_digests=True).table(200)


def test_a_long_tag_is_whole_if_there_is_room_without_other_columns() -> None:
    rows = (replace(LISTING.rows[1], repository="app", tag="x" * 60), replace(LISTING.rows[1], repository="app"))
    lines = render(Listing(rows), location="localhost:5000").table(80).splitlines()
    assert lines[0].split() == ["REPOSITORY", "TAG", "SIZE"]
    assert lines[1].split() == ["app", "x" * 60, "88.0", "MB"]
    assert len(lines) == 3


@pytest.mark.parametrize("width", [100, 140, 180])
def test_a_few_long_names_leave_out_no_column_at_any_width(width: int) -> None:
    rows = [replace(LISTING.rows[1], tag=f"1.{number}") for number in range(6)]
    rows.append(replace(rows[0], tag=f"sha256-{'0' * 64}.sig"))
    rows.append(replace(rows[0], repository="team/" + "x" * 60, tag="y" * 50))
    lines = render(Listing(tuple(rows)), location="localhost:5000").table(width).splitlines()
    assert lines[0].split() == ["REPOSITORY", "TAG", "DIGEST", "PLATFORMS", "SIZE", "CREATED"]
    assert max(map(len, lines)) <= width


def test_a_long_list_of_platforms_leaves_out_no_other_column() -> None:
    many = tuple(f"linux/arch{number}" for number in range(8))
    rows = (*LISTING.rows[:2], replace(LISTING.rows[0], platforms=many))
    lines = render(Listing(rows), location="localhost:5000").table(100).splitlines()
    assert lines[0].split() == ["REPOSITORY", "TAG", "DIGEST", "PLATFORMS", "SIZE", "CREATED"]
    assert lines[1].endswith("years ago")
    assert max(map(len, lines)) <= 100


def test_a_long_cell_that_fits_is_not_folded() -> None:
    cells = [("a" * 10, "b" * 30), ("a" * 10, "b" * 10)]
    assert columns(("NAME", "TAG"), cells, width=42).splitlines()[1] == f"{'a' * 10}  {'b' * 30}"


def test_a_number_and_its_unit_stay_together() -> None:
    lines = columns(("NAME", "SIZE"), [("x" * 40, "412 MB")], width=30, right=frozenset({"SIZE"})).splitlines()
    assert lines[1].endswith(" 412 MB")


def test_an_artifact_says_what_it_is_in_place_of_platforms() -> None:
    chart = Artifact("Helm chart", "application/vnd.cncf.helm.config.v1+json")
    rendered = render(
        Listing((replace(LISTING.rows[0], platforms=(), artifact=chart), *LISTING.rows[1:])), location="l"
    )
    assert "Helm chart" in rendered.table(120)
    assert rendered.plain().splitlines()[0].split("\t")[3] == "Helm chart"
    kinds = [(image["kind"], image["artifact_type"]) for image in rendered.json()["images"]]
    assert kinds == [("Helm chart", chart.media_type), ("image", None), (None, None)]


def test_numbers_stand_to_the_right() -> None:
    text = columns(("N", "SIZE"), [("a", "1 MB"), ("b", "100 MB")], width=80, right=frozenset({"SIZE"}))
    assert text == "N     SIZE\na     1 MB\nb   100 MB"


@given(
    st.lists(st.tuples(*[st.text("abc -…", max_size=6).map(str.strip)] * 3), max_size=4),
    st.integers(min_value=30, max_value=60),
)
def test_what_needs_no_folding_looks_as_rich_would_have_it(rows: list[tuple[str, ...]], width: int) -> None:
    headings, right = ("NAME", "SIZE", "AGE"), frozenset({"SIZE"})
    ours = columns(headings, rows, width=width, right=right)
    assert ours == table_module._folded(headings, rows, width=width, gap=3, right=right)  # noqa: SLF001


@given(
    st.lists(st.tuples(*[st.text("abc\u6f22 -:/", max_size=40).map(str.strip)] * 4), min_size=1, max_size=4),
    st.integers(min_value=12, max_value=120),
)
def test_nothing_is_cut_away_and_no_line_is_too_long(rows: list[tuple[str, ...]], width: int) -> None:
    text = columns(("NAME", "A", "B", "SIZE"), rows, width=width, right=frozenset({"SIZE"}))
    assert max(map(cell_len, text.splitlines())) <= width
    shown, wanted = Counter(text), Counter("NAMEABSIZE" + "".join(itertools.chain(*rows)))
    assert {key: count for key, count in shown.items() if not key.isspace()} == {
        key: count for key, count in wanted.items() if not key.isspace()
    }


@pytest.mark.parametrize("name", ["\u6f22\u5b57", "e\u0301"])
def test_wide_and_combining_characters_keep_the_columns_straight(name: str) -> None:
    first, second, third = columns(("NAME", "TAG"), [(name, "x"), ("ab", "y")], width=80).splitlines()
    assert cell_len(second.partition("x")[0]) == first.index("TAG")
    assert third.index("y") == first.index("TAG")


def test_nothing_is_said_to_be_nothing() -> None:
    rendered = render(Listing(()), location="localhost:5000")
    (line,) = rendered.table(80).splitlines()
    assert "localhost:5000" in line
    assert rendered.plain() == ""


def test_plain_text_has_a_record_a_line() -> None:
    lines = render(LISTING, location="localhost:5000").plain().splitlines()
    assert lines[0] == f"ansible-playbook\tlatest\t{DIGEST}\tlinux/amd64\t412000000\t2020-01-01T00:00:00+00:00\t"
    assert lines[2] == "team/api\tbroken\t\tits manifest cannot be read\t\t\t"
