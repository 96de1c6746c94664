"""Used bytes on terminals of different widths."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localreg.content.du import Part, Row, Storage, Usage
from localreg.output.du import render

ROWS = (
    Row("team/api", None, 4_000_000, 1_000_000),
    Row("team/web", None, 3_500_000, 500_000),
    Row("empty", None, 0, 0),
)
NONE = Part(0, 0)


def usage(disk: int, *, quarantine: Part = NONE) -> Usage:
    storage = Storage(4_500_000, Part(1, 2500), NONE, quarantine, Part(2, 300_000), disk)
    return Usage(ROWS, by_tag=False, shared=3_000_000, unreadable=0, storage=storage)


def test_a_bar_shows_the_unique_and_the_shared_part() -> None:
    shown = render(usage(5_000_000), location="localhost:5001", command="localreg --name team").table(90)
    assert shown.splitlines() == [
        "REPOSITORY     TOTAL    UNIQUE    SHARED   █ unique ░ shared",
        "team/api     4.00 MB   1.00 MB   3.00 MB   ██████░░░░░░░░░░░░░░░░░░",
        "team/web     3.50 MB    500 kB   3.00 MB   ███░░░░░░░░░░░░░░░░░░",
        "empty            0 B       0 B       0 B",
        "",
        "  1.50 MB  kept by one repository alone",
        "+ 3.00 MB  shared, counted once",
        "= 4.50 MB  content of tags",
        "+ 2.50 kB  without a tag                 1 manifest; `localreg --name team gc` frees it",
        "+  300 kB  unfinished                    2 uploads",
        "+  198 kB  links, folders, full blocks",
        "= 5.00 MB  on the disk",
    ]


def test_a_narrow_terminal_has_no_bars() -> None:
    shown = render(usage(5_000_000), location="localhost:5000").table(40)
    assert "█" not in shown
    assert max(map(len, shown.splitlines())) <= 40
    assert "1 manifest; `localreg gc` frees it\n" in render(usage(5_000_000), location="localhost:5000").table(80)
    assert "1 manifest\n" in render(usage(5_000_000), location="localhost:5000").table(60)


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_long_name_takes_no_number_from_the_rows(width: int) -> None:
    rows = (Row(f"team/{'x' * 60}", None, 4_000_000, 1_000_000), *ROWS[1:])
    shown = render(replace(usage(5_000_000), rows=rows), location="localhost:5000").table(width).splitlines()
    assert max(map(len, shown)) <= width
    assert shown[0].split()[:4] == ["REPOSITORY", "TOTAL", "UNIQUE", "SHARED"]
    assert shown[1].split()[1:7] == ["4.00", "MB", "1.00", "MB", "3.00", "MB"]


@pytest.mark.parametrize("disk", [5_000_001, 4_000_003])
def test_exact_bytes_add_up(disk: int) -> None:
    shown = render(usage(disk, quarantine=Part(3, 7)), location="localhost:5000", whole=True).table(80)
    total, sums = 0, []
    for line in shown.partition("\n\n")[2].splitlines():
        number = int(line[1:].split()[0].replace(",", ""))
        match line[0]:
            case "=":
                assert number == total
                sums.append(number)
            case "-":
                total -= number
            case _:
                total += number
    assert sums == [4_500_000, disk]


def test_a_pipe_has_bytes_and_no_bars() -> None:
    shown = render(usage(5_000_000), location="localhost:5000")
    assert shown.plain().splitlines()[0] == "team/api\t4000000\t1000000\t3000000"
    assert shown.quiet is not None
    assert shown.quiet().splitlines()[0] == "localhost:5000/team/api"


def test_patterns_hide_the_rest_of_the_volume() -> None:
    shown = render(usage(5_000_000), location="localhost:5000", chosen=True).table(80)
    assert shown.splitlines()[-1] == "= 4.50 MB  content of tags"


def test_nothing_to_show_is_said() -> None:
    empty = Usage((), by_tag=False, shared=0, unreadable=0, storage=None)
    assert render(empty, location="localhost:5000").table(80) == "The registry at localhost:5000 is empty"
    assert "matches" in render(empty, location="localhost:5000", chosen=True).table(80)
