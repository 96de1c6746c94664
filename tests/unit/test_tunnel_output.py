"""What a tunnel looks like."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from localreg.output.live_line import LiveLine
from localreg.output.tunnels import live_line, render_closed, render_list, render_open, render_state
from localreg.tunnels.spec import Push, TunnelSpec, TunnelStatus

SPEC = TunnelSpec("ci@build.example.com", 5000, "registry", "localhost:5001", "127.0.0.1:5001")
OPEN = TunnelStatus(
    SPEC,
    42,
    "open",
    opened="2026-11-26T12:00:00+00:00",
    since="2026-11-26T13:55:00+00:00",
    reconnects=3,
    last_push=Push("ansible-playbook:latest", "2026-11-23T14:00:00+00:00"),
)
WAITING = replace(OPEN, state="waiting", reason="Connection refused")


def before_now(span: timedelta) -> str:
    """A moment relative to the test's run, not to its collection, which may be hours earlier."""
    return (datetime.now(UTC) - span).isoformat()


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("status", [OPEN, WAITING])
def test_a_live_line_stays_one_line(status: TunnelStatus, width: int) -> None:
    line = live_line(status, width=width)
    assert len(line) < width
    assert line.startswith(f"{status.state} since ")


def test_of_a_live_line_the_least_important_goes_first() -> None:
    since = "open since 13:55"
    whole = f"{since} · last push ansible-playbook:latest at 14:00 · 3 reconnects"
    assert live_line(OPEN, width=200) == whole
    assert live_line(OPEN, width=len(whole)) == whole.removesuffix(" · 3 reconnects")
    assert live_line(OPEN, width=40) == since


def test_what_a_tunnel_leads_to_is_said() -> None:
    assert render_open(OPEN).table(80).splitlines() == [
        "Tunnel open: ci@build.example.com reaches registry localhost:5001",
        "  there  localhost:5000/NAME",
        "  reach  ci@build.example.com only (127.0.0.1)",
        "  close  Ctrl-C",
    ]
    again = render_open(replace(OPEN, opened=before_now(timedelta(hours=2)), log="/run/x.log"), already=True)
    assert again.table(200).splitlines()[0].endswith("localhost:5001, opened 2 hours ago")
    assert "  close  localreg tunnel close ci@build.example.com" in again.table(80)
    assert again.json()["action"] == "already open"


def test_a_program_and_an_exposed_port_say_who_reaches_them() -> None:
    program = replace(SPEC, host="ngrok", command=("ngrok",), probe_url="https://me.example/", exposed=True)
    shown = render_open(TunnelStatus(program, 1, "open")).table(80)
    assert "  there  me.example/NAME" in shown
    assert "  reach  everybody whom `ngrok` lets through" in shown
    exposed = replace(SPEC, bind="0.0.0.0", exposed=True)
    assert "everybody who reaches 0.0.0.0 of ci@" in render_open(TunnelStatus(exposed, 1, "open")).table(80)


def test_a_list_has_every_tunnel() -> None:
    pushed = replace(OPEN, last_push=Push("ansible-playbook:latest", before_now(timedelta(days=3))))
    found = render_list([pushed, WAITING, TunnelStatus(SPEC, None, "unknown", "its process does not say")])
    head, *rows = found.table(200).splitlines()
    assert head.split() == ["HOST", "THERE", "REGISTRY", "STATE", "SINCE", "RECONNECTS", "LAST", "PUSH"]
    assert "ansible-playbook:latest, 3 days ago" in rows[0]
    assert "waiting: Connection refused" in rows[1]
    assert "unknown: its process does not say" in rows[2]
    assert [len(line.split("\t")) for line in found.plain().splitlines()] == [8, 8, 8]
    assert found.quiet is not None
    assert found.quiet().splitlines() == [SPEC.host] * 3
    assert json.loads(json.dumps(found.json()))["tunnels"][0]["last_push"]["reference"] == "ansible-playbook:latest"
    assert all(len(line) <= 60 for line in found.table(60).splitlines())


def test_no_tunnel_is_said() -> None:
    assert render_list([]).table(80) == "No tunnel is open"
    assert render_list([]).plain() == render_closed([]).plain() == ""
    assert render_closed([]).table(80) == "No tunnel was open"
    assert render_closed([OPEN]).table(80) == "Tunnel to ci@build.example.com closed"


def test_a_line_for_no_terminal() -> None:
    assert render_state(WAITING) == "tunnel to ci@build.example.com: waiting: Connection refused"
    assert render_state(OPEN) == "tunnel to ci@build.example.com: open; last push ansible-playbook:latest"


def test_a_live_line_is_written_over(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    line = LiveLine()
    line.show(lambda width: "x" * (width - 70))
    line.clear()
    assert written.getvalue() == "\r\033[Kxxxxxxxxxx\r\033[K"
