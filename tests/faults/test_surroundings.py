"""The environment of localreg: closed streams, a full disk, a proxy that does not exist."""

from __future__ import annotations

from pathlib import Path

from support.engines.real import Bed, docker_alone
from support.faults.table import Fault, fault

DEAD_PROXY = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:1")
NO_SPACE = "no space left on device"


@fault("disk-full-up", "up >/dev/full", code="error", facts=[NO_SPACE])
@fault("disk-full-logs", "logs >/dev/full", code="error", facts=[NO_SPACE])
@fault("disk-full-completion", "completion bash >/dev/full", code="error", facts=[NO_SPACE])
# Help and version are printed before `--json` is read.
@docker_alone
@fault("disk-full-help", "--help >/dev/full", exit_code=1, facts=["error: ", NO_SPACE])
@fault("disk-full-version", "--version >/dev/full", exit_code=1, facts=["error: ", NO_SPACE])
@fault("disk-full-stderr", "ls nosuch 2>/dev/full", exit_code=4)
def test_a_full_disk(bed: Bed, faults: tuple[Fault, ...]) -> None:
    bed.up()
    for shown in faults:
        shown.by(bed)


@docker_alone
@fault("streams-closed-up", "up <&- >&- 2>&-")
@fault("streams-closed-ls", "ls nosuch <&- >&- 2>&-", exit_code=4)
@fault("streams-closed-logs", "logs <&- >&- 2>&-")
@fault("streams-to-nowhere", "status </dev/null >/dev/null 2>&1")
def test_closed_streams(bed: Bed, faults: tuple[Fault, ...]) -> None:
    for shown in faults:
        assert shown.by(bed) == ""
    assert bed.ok("status", "-q") == "healthy\n"


@fault("dead-proxy-up", "up", facts=["localhost:5000"])
@fault("dead-proxy-push", "push localhost/app:1", facts=["localhost:5000/app:1@sha256:"])
@fault("dead-proxy-pull", "pull app:1", facts=["localhost:5000/app:1@sha256:"])
@fault("dead-proxy-ls", "ls -q", facts=["localhost:5000/app:1"])
def test_a_proxy_that_does_not_exist(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    bed.add_image("localhost/app:1", folder)
    # A configuration of its own: Podman's service also starts with these variables.
    env = {**DEAD_PROXY, "XDG_SESSION_TYPE": "of this test"}
    for shown in faults:
        shown.by(bed, env=env)
