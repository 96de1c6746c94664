"""Times as people type them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from localreg.errors import UsageError
from localreg.system.moment import parse_moment

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("14d", NOW - timedelta(days=14)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("2026-10-31T12:00:00Z", NOW - timedelta(hours=12)),
        ("1793491200", NOW),
    ],
)
def test_a_time_is_a_moment_or_a_duration_before_now(text: str, wanted: datetime) -> None:
    assert parse_moment(text, now=NOW) == wanted


@pytest.mark.parametrize(
    "text", ["yesterday", "", "nan", "inf", "nand", "9999999999d", "-5m", "0001-01-01", "1h 5m", "1e99", "\u0663m"]
)
def test_what_is_no_moment_is_said_to_be_none_and_never_a_bug(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_moment(text)
    assert (f"`{text}`" if text else "an empty value") in caught.value.message
