"""A registry that does not run, is stopped in its tracks, or answers what no registry does."""

from __future__ import annotations

from pathlib import Path

from beds import Bed, free_port, is_free
from fault_table import Fault, fault

from localreg.oci.api import REQUEST_SECONDS
from localreg.oci.ping import ASK_SECONDS
from localreg.system.waiting import wait_until


@fault("the registry does not run", "ls", code=6, says="registry `registry` does not run: it is exited")
@fault("the same, pushed to", "push localhost/app:1", code=6, says="registry `registry` does not run: it is exited")
@fault("the same, pulled from", "pull app:1", code=6, says="registry `registry` does not run: it is exited")
@fault("the same, asked for its state", "status -q", code=6, says="stopped")
def test_a_registry_that_is_down(either: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    either.add_image("localhost/app:1", folder)
    either.ok("up")
    either.engine_ok("stop", "registry")
    for shown in faults:
        shown.by(either)


def publish(
    bed: Bed, folder: Path, script: str, *, name: str = "registry", port: int = 5000, at_start: str = "true"
) -> None:
    """Run a container that answers each request with what a script prints."""
    image = f"localhost/{name}:1"
    # A connection that is closed with something unread is broken off.
    read = "while read -r line && [ ${#line} -gt 1 ]; do :; done"
    command = f"{at_start}; echo '{read}; {script}' >/answer; exec busybox nc -ll -p 5000 -e /bin/sh /answer"
    bed.add_image(image, folder, command=command)
    # Docker's own default rewrites bytes that are not UTF-8.
    log = "local" if bed.program == "docker" else "k8s-file"
    bed.engine_ok("run", "-d", "--log-driver", log, "-p", f"127.0.0.1:{port}:5000", "--name", name, image)
    assert wait_until(lambda: not is_free(port), seconds=20)


def http(status: str, kind: str, body: str) -> str:
    """What prints an answer."""
    head = f"HTTP/1.1 {status}\\r\\nContent-Type: {kind}\\r\\nContent-Length: {len(body)}\\r\\nConnection: close"
    return f'printf "{head}\\r\\n\\r\\n{body}"'


@fault("the registry answers HTML", "ls", code=6, says="what answers at http://127.0.0.1:5000 is no registry")
@fault("the same, pulled from", "pull app:1", code=6, says="the registry says no digest for `app:1`")
@fault("the same, asked for its state", "status -q", code=6, says="not answering")
@fault("the same, to be started", "up --wait 1", code=5, says="what it publishes is no registry", seconds=1)
def test_a_registry_that_answers_html(either: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    publish(either, folder, http("200 OK", "text/html", "<html>a login page</html>"))
    for shown in faults:
        shown.by(either)


@fault("the registry answers 500", "ls", code=6, says="the registry answered 500 for its catalog")
@fault("the same, pulled from", "pull app:1", code=6, says="the registry answered 500 for `app:1`")
@fault("the same, asked for its state", "status -q", code=6, says="not answering")
def test_a_registry_that_answers_500(either: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    publish(either, folder, http("500 Internal Server Error", "application/json", "{}"))
    for shown in faults:
        shown.by(either)


@fault(
    "the registry is stopped in its tracks (`SIGSTOP`)",
    "ls --name frozen",
    code=6,
    says="it does not answer within {wait} seconds",
    seconds=REQUEST_SECONDS,
)
@fault(
    "the registry answers one byte a second",
    "ls --name slow",
    code=6,
    says="it does not answer within {wait} seconds",
    seconds=REQUEST_SECONDS,
)
@fault(
    "the registry answers one byte a second, asked for its state",
    "status -q --name slow",
    code=6,
    says="not answering",
    seconds=ASK_SECONDS,
)
@fault(
    "the registry is stopped in its tracks, asked for its state",
    "status -q --name frozen",
    code=6,
    says="not answering",
    seconds=ASK_SECONDS,
)
def test_registries_that_do_not_get_on(pair: tuple[Bed, Bed], folder: Path, faults: tuple[Fault, ...]) -> None:
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
        showings += [shown.begin(bed, wait=f"{REQUEST_SECONDS:g}") for shown in waiting]
    for bed in pair:
        frozen.by(bed)
        slow.by(bed)
    for showing in showings:
        showing.end()


# It is started again and again.
SAY_ONCE = "[ -e /said ] || printf 'raw \\377 byte\\n'; echo >/said; exit 3"


@fault(
    "the registry stops at its start, and its log is no UTF-8",
    "up --image localhost/broken:1",
    code=6,
    says="raw \\xff byte",
)
def test_a_log_that_is_no_text_in_an_error(either: Bed, folder: Path, shown: Fault) -> None:
    either.add_image("localhost/broken:1", folder, command=SAY_ONCE)
    shown.by(either)
    assert not either.exists("container", "registry")


@fault("the log has bytes that are no UTF-8", "logs", code=0, says="raw \\xff byte")
def test_a_log_that_is_no_text(either: Bed, folder: Path, shown: Fault) -> None:
    publish(either, folder, "true", at_start='printf "raw \\377 byte\\n"')
    shown.by(either)


@fault("the clock of whoever built an image was wrong", "ls --format table", code=0, says="a few seconds ago")
@fault("the same, in plain text", "ls", code=0, says="2999-01-01T00:00:00+00:00")
def test_an_image_from_the_future(either: Bed, folder: Path, faults: tuple[Fault, ...]) -> None:
    either.add_image("localhost/late:1", folder, created="2999-01-01T00:00:00Z")
    either.ok("up")
    either.ok("push", "localhost/late:1")
    for shown in faults:
        shown.by(either)


@fault("the log is asked for from a moment that has not come", "logs --since 2999-01-01", code=0)
def test_a_log_from_the_future(either: Bed, shown: Fault) -> None:
    either.ok("up")
    assert shown.by(either) == ""
