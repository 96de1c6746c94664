from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from localreg.output.text import ago, duration, printable, size


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (41_200_000, "41.2 MB"),
        (99_950, "100 kB"),
        (164_000_000, "164 MB"),
        (999_600, "1.00 MB"),
        (2_500_000_000, "2.50 GB"),
        (7_000_000_000_000_000, "7000 TB"),
    ],
)
def test_sizes_have_three_digits(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (timedelta(seconds=3), "a few seconds"),
        (timedelta(seconds=61), "1 minute"),
        (timedelta(hours=2, minutes=59), "2 hours"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=20), "2 weeks"),
        (timedelta(days=800), "2 years"),
    ],
)
def test_durations_have_one_unit(span: timedelta, text: str) -> None:
    assert duration(span) == text


def test_a_moment_in_the_future_is_just_now() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert ago(now + timedelta(hours=1), now=now) == ago(now, now=now)


def test_an_unknown_moment_is_nothing() -> None:
    assert ago(None, now=datetime(2026, 1, 1, tzinfo=UTC)) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("linux/amd64", "linux/amd64"),
        ("li\nnux", "li\\nnux"),
        ("a\tb", "a b"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("größer", "größer"),
    ],
)
def test_what_others_wrote_is_one_line_and_obeyed_by_no_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown
