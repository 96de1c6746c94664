"""What a tunnel looks like."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from localreg.output.tunnel import close, ls
from localreg.output.tunnel import open as opened
from localreg.output.tunnel.keep import live_line, render_state
from localreg.tunnels.spec import Push, TunnelSpec, TunnelStatus

SPEC = TunnelSpec("ci@build.example.com", 5000, "registry", "localhost:5001", "http://127.0.0.1:5001")
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
    assert line.startswith(f"{status.state} ")


def test_of_a_live_line_the_least_important_goes_first() -> None:
    whole = live_line(OPEN, width=200)
    since, pushed, reconnects = whole.split(" · ")
    assert "13:55" in since
    assert "ansible-playbook:latest" in pushed
    assert "14:00" in pushed
    assert re.findall(r"\d+", reconnects) == ["3"]
    assert live_line(OPEN, width=len(whole)) == f"{since} · {pushed}"
    assert live_line(OPEN, width=40) == since


def test_what_a_tunnel_leads_to_is_said() -> None:
    head, there, reach, close = opened.render(OPEN).table(80).splitlines()
    assert "ci@build.example.com" in head
    assert "localhost:5001" in head
    assert there.endswith(" localhost:5000/NAME")
    assert "ci@build.example.com" in reach
    assert "127.0.0.1" in reach
    assert close.endswith(" Ctrl-C")
    again = opened.render(replace(OPEN, opened=before_now(timedelta(hours=2)), log="/run/x.log"), already=True)
    head = again.table(200).splitlines()[0]
    assert "localhost:5001" in head
    assert " 2 hours" in head
    assert " localreg tunnel close ci@build.example.com\n" in again.table(80)
    assert again.json()["action"] == "already open"


def test_what_clients_need_for_tls_is_said() -> None:
    secure = replace(SPEC, url="https://127.0.0.1:5001")
    assert "--tls-verify=false" in opened.render(replace(OPEN, spec=secure)).table(200)
    assert "--san NAME" in opened.render(replace(OPEN, spec=replace(secure, exposed=True))).table(200)
    through = replace(secure, probe_url="https://x.ngrok.app")
    assert "tls" not in opened.render(replace(OPEN, spec=through)).table(200)


def test_a_program_and_an_exposed_port_say_who_reaches_them() -> None:
    program = replace(SPEC, host="ngrok", command=("ngrok",), probe_url="https://me.example/", exposed=True)
    shown = opened.render(TunnelStatus(program, 1, "open")).table(80)
    assert " me.example/NAME\n" in shown
    assert "`ngrok`" in shown
    assert SPEC.bind not in shown
    exposed = replace(SPEC, bind="0.0.0.0", exposed=True)
    reach = opened.render(TunnelStatus(exposed, 1, "open")).table(80).splitlines()[2]
    assert "0.0.0.0" in reach
    assert exposed.host in reach
    # The words differ from those for a port that only that machine reaches.
    alone = opened.render(TunnelStatus(replace(exposed, exposed=False), 1, "open")).table(80).splitlines()[2]
    assert reach != alone


def test_a_list_has_every_tunnel() -> None:
    pushed = replace(OPEN, last_push=Push("ansible-playbook:latest", before_now(timedelta(days=3))))
    found = ls.render([pushed, WAITING, TunnelStatus(SPEC, None, "unknown", "its process does not say")])
    head, *rows = found.table(200).splitlines()
    assert head.split() == ["HOST", "THERE", "REGISTRY", "STATE", "SINCE", "RECONNECTS", "LAST", "PUSH"]
    assert re.search(r"ansible-playbook:latest\b.* 3 days\b", rows[0])
    assert "waiting: Connection refused" in rows[1]
    assert "unknown: its process does not say" in rows[2]
    assert [len(line.split("\t")) for line in found.plain().splitlines()] == [8, 8, 8]
    assert found.quiet is not None
    assert found.quiet().splitlines() == [SPEC.host] * 3
    assert json.loads(json.dumps(found.json()))["tunnels"][0]["last_push"]["reference"] == "ansible-playbook:latest"
    assert all(len(line) <= 60 for line in found.table(60).splitlines())


def test_no_tunnel_is_said() -> None:
    for nothing in (ls.render([]), close.render([])):
        (line,) = nothing.table(80).splitlines()
        assert line
        assert "HOST" not in line
        assert nothing.plain() == ""
    assert "ci@build.example.com" in close.render([OPEN]).table(80)


def test_a_line_for_no_terminal() -> None:
    for status, facts in (
        (WAITING, ("ci@build.example.com", "waiting", "Connection refused")),
        (OPEN, ("ci@build.example.com", "open", "ansible-playbook:latest")),
    ):
        (line,) = render_state(status).splitlines()
        assert all(fact in line for fact in facts)
