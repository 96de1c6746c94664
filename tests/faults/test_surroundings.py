"""What localreg runs in: streams that are closed or full, and a proxy that is not there."""

from __future__ import annotations

from pathlib import Path

from beds import Bed
from fault_table import Fault, fault

NO_PROXY_THERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:1")


@fault("the disk that stdout goes to is full", "up >/dev/full", code=1, says="cannot write the result: no space left")
@fault("the same, for the log", "logs >/dev/full", code=1, says="cannot write: no space left")
@fault("the same, for the script of a shell", "completion bash >/dev/full", code=1, says="cannot write: no space left")
@fault("the same, for the help", "--help >/dev/full", code=1, says="cannot write: no space left")
@fault("the same, for the version", "--version >/dev/full", code=1, says="cannot write: no space left")
@fault("the disk that stderr goes to is full", "ls nosuch 2>/dev/full", code=4)
def test_a_full_disk(either: Bed, faults: tuple[Fault, ...]) -> None:
    either.ok("up")
    for shown in faults:
        shown.by(either)


@fault("there is no terminal, and every stream is closed", "up <&- >&- 2>&-", code=0)
@fault("the same, when something fails", "ls nosuch <&- >&- 2>&-", code=4)
@fault("the same, for the log", "logs <&- >&- 2>&-", code=0)
@fault("every stream is `/dev/null`", "status </dev/null >/dev/null 2>&1", code=0)
def test_no_terminal(either: Bed, faults: tuple[Fault, ...]) -> None:
    for shown in faults:
        assert shown.by(either) == ""
    assert either.ok("status", "-q") == "healthy\n"


@fault("`HTTP_PROXY` names a proxy that is not there", "up", code=0, says="localhost:5000")
@fault("the same, pushed through", "push localhost/app:1", code=0, says="localhost:5000/app:1@sha256:")
@fault("the same, pulled through", "pull app:1", code=0, says="localhost:5000/app:1@sha256:")
@fault("the same, listed through", "ls -q", code=0, says="localhost:5000/app:1")
def test_a_proxy_that_is_not_there(either: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    either.add_image("localhost/app:1", folder)
    # A configuration of its own: Podman's service is started with these variables, too.
    env = {**NO_PROXY_THERE, "XDG_SESSION_TYPE": "of this test"}
    for shown in faults:
        shown.by(either, env=env)
