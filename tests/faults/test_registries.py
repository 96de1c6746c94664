"""A registry that is stopped or frozen, or something else that answers in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.engines.real import Bed, docker_alone, free_port, is_free
from support.faults.table import Fault, fault

from localreg.oci.api import REQUEST_SECONDS
from localreg.oci.ping import ASK_SECONDS
from localreg.system.waiting import wait_until

STOPPED = ["`registry`", "is stopped", " up\n"]


@docker_alone
@fault("registry-stopped-ls", "ls", code="registry-unreachable", facts=STOPPED)
@fault("registry-stopped-push", "push localhost/app:1", code="registry-unreachable", facts=STOPPED)
@fault("registry-stopped-pull", "pull app:1", code="registry-unreachable", facts=STOPPED)
@fault("registry-stopped-status", "status -q", exit_code=6, facts=["stopped"])
def test_a_stopped_registry(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.up()
    bed.engine_ok("stop", "registry")
    for shown in faults:
        shown.by(bed)


def publish(
    bed: Bed, folder: Path, script: str, *, name: str = "registry", port: int = 5000, at_start: str = "true"
) -> None:
    """Run a container that answers each request with the output of a script."""
    # localreg takes a container for a registry by the name of its image.
    image = f"localhost/{name}/registry:1"
    # Closing a connection with unread data would reset it.
    read = "while read -r line && [ ${#line} -gt 1 ]; do :; done"
    command = f"{at_start}; echo '{read}; {script}' >/answer; exec busybox nc -ll -p 5000 -e /bin/sh /answer"
    bed.add_image(image, folder, command=command)
    # Docker's own default rewrites bytes that are not UTF-8.
    log = "local" if bed.program == "docker" else "k8s-file"
    bed.engine_ok("run", "-d", "--log-driver", log, "-p", f"127.0.0.1:{port}:5000", "--name", name, image)
    assert wait_until(lambda: not is_free(port), seconds=20)


def http(status: str, kind: str, body: str) -> str:
    """A shell command that prints an answer."""
    head = f"HTTP/1.1 {status}\\r\\nContent-Type: {kind}\\r\\nContent-Length: {len(body)}\\r\\nConnection: close"
    return f'printf "{head}\\r\\n\\r\\n{body}"'


@docker_alone
@fault("answers-html-ls", "ls", code="registry-failed", facts=["http://127.0.0.1:5000", "JSON", "<html>a login page"])
@fault("answers-html-pull", "pull app:1", code="registry-failed", facts=["digest", "`app:1`"])
@fault("answers-html-status", "status -q", exit_code=6, facts=["not answering"])
@fault("answers-html-up", "up --wait 1", code="name-taken", facts=["`registry`", "--name OTHER up\n"])
def test_a_registry_that_answers_html(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    publish(bed, folder, http("200 OK", "text/html", "<html>a login page</html>"))
    for shown in faults:
        shown.by(bed)


@docker_alone
@fault("answers-500-ls", "ls", code="registry-failed", facts=["500", "catalog"])
@fault("answers-500-pull", "pull app:1", code="registry-failed", facts=["500", "`app:1`"])
@fault("answers-500-status", "status -q", exit_code=6, facts=["not answering"])
def test_a_registry_that_answers_500(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    publish(bed, folder, http("500 Internal Server Error", "application/json", "{}"))
    for shown in faults:
        shown.by(bed)


@fault(
    "registry-frozen-ls",
    "ls --name frozen",
    code="registry-unreachable",
    facts=["http://127.0.0.1:", "{seconds} seconds", "--name frozen doctor registry port"],
    seconds=REQUEST_SECONDS,
)
@fault(
    "registry-slow-ls",
    "ls --name slow",
    code="registry-unreachable",
    facts=["http://127.0.0.1:", "{seconds} seconds", "--name slow doctor registry port"],
    seconds=REQUEST_SECONDS,
)
@fault("registry-slow-status", "status -q --name slow", exit_code=6, facts=["not answering"], seconds=ASK_SECONDS)
@fault("registry-frozen-status", "status -q --name frozen", exit_code=6, facts=["not answering"], seconds=ASK_SECONDS)
@pytest.mark.waits
def test_frozen_and_slow_registries(pair: tuple[Bed, Bed], folder: Path, faults: tuple[Fault, ...]) -> None:
    *waiting, slow, frozen = faults
    showings = []
    for bed in pair:
        bed.ok("up", "--name", "frozen", "--port", str(free_port()))
        bed.engine_ok("kill", "--signal", "STOP", "frozen")
        publish(
            bed,
            folder,
            'printf "HTTP/1.1 200 OK\\r\\nX-Slow: "; yes x | while read x; do printf x; sleep 1; done',
            name="slow",
            port=free_port(),
        )
        showings += [shown.begin(bed) for shown in waiting]
    for bed in pair:
        frozen.by(bed)
        slow.by(bed)
    for showing in showings:
        showing.end()


# The engine starts it again and again.
SAY_ONCE = "[ -e /said ] || printf 'raw \\377 byte\\n'; echo >/said; exit 3"


@docker_alone
@fault(
    "registry-exits",
    "up --image localhost/broken:1",
    code="registry-not-ready",
    facts=["`registry`", "raw \\xff byte"],
)
def test_a_registry_that_exits_with_a_log_that_is_not_utf_8(bed: Bed, folder: Path, shown: Fault) -> None:
    bed.add_image("localhost/broken:1", folder, command=SAY_ONCE)
    shown.by(bed)
    assert not bed.exists("container", "registry")


@fault("log-not-utf-8", "logs", facts=["raw \\xff byte"])
def test_a_log_that_is_not_utf_8(bed: Bed, folder: Path, shown: Fault) -> None:
    publish(bed, folder, "true", at_start='printf "raw \\377 byte\\n"')
    shown.by(bed)


@docker_alone
@fault("image-from-the-future-table", "ls --format table", facts=["late"])
@fault("image-from-the-future", "ls", facts=["2999-01-01T00:00:00+00:00"])
def test_an_image_from_the_future(bed: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    bed.add_image("localhost/late:1", folder, created="2999-01-01T00:00:00Z")
    bed.up()
    bed.push("localhost/late:1")
    for shown in faults:
        shown.by(bed)


@docker_alone
@fault("log-since-the-future", "logs --since 2999-01-01")
def test_a_log_since_the_future(bed: Bed, shown: Fault) -> None:
    bed.up()
    assert shown.by(bed) == ""


@docker_alone
@fault(
    "docker-expects-tls",
    "push localhost/app:1",
    code="registry-failed",
    facts=["192.0.2.1:5000", "HTTPS", "trust docker"],
    kept=None,
)
def test_a_docker_that_expects_tls(bed: Bed, folder: Path, shown: Fault) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.ok("up", "--host", "192.0.2.1", "--insecure-exposure")
    shown.by(bed)
    # Said before anything is done.
    assert "192.0.2.1:5000/app:1" not in bed.images()
    assert "127.0.0.0/8" in bed.refused(6, "pull", "nosuch:1").partition("hint: ")[0]
    bed.ok("trust", "docker", "--location", "192.0.2.1:5000")
    bed.ok("push", "localhost/app:1")
    bed.ok("untrust", "docker")
