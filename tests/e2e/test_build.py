"""`localreg build`: built with the engine's own builder, and pushed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from support.engines.builders import builder_path, write_dockerfile, write_step
from support.engines.real import Bed, docker_alone, free_port, on_every_engine, rootless_podman_alone
from support.terminals.kept_screens import View, seen

from localreg.system.waiting import wait_until

SECRET = "a word that nobody else knows"
STEP = ["sleep", "4321"]
"""The end of the command line of a step that goes on until somebody ends it."""


@pytest.fixture
def env() -> dict[str, str]:
    return {"PATH": builder_path()}


@pytest.fixture
def site(folder: Path) -> Path:
    """A folder to build."""
    place = folder / "site"
    place.mkdir()
    write_dockerfile(place)
    return place


def digest_of(reference: str) -> str:
    """What the registry itself says of `NAME:TAG`."""
    name, _, tag = reference.partition(":")
    request = urllib.request.Request(f"http://127.0.0.1:5000/v2/{name}/manifests/{tag}", method="HEAD")
    for kind in ("docker.distribution.manifest.v2", "oci.image.manifest.v1", "oci.image.index.v1"):
        request.headers["Accept"] = f"application/vnd.{kind}+json,{request.headers.get('Accept', '')}".rstrip(",")
    with urllib.request.urlopen(request) as answer:
        return str(answer.headers["Docker-Content-Digest"])


def labels(bed: Bed, name: str) -> dict[str, str]:
    """Of an image that was built."""
    shown = bed.engine_ok("image", "inspect", "--format", "{{json .Config.Labels}}", f"localhost:5000/{name}")
    # Podman adds one with its own release.
    return {name: value for name, value in json.loads(shown).items() if name != "io.buildah.version"}


@on_every_engine
def test_an_image_is_built_and_pushed_in_one_go(bed: Bed, site: Path, env: dict[str, str]) -> None:
    bed.up()
    result = bed.localreg("build", str(site), env=env)
    assert result.stdout == f"localhost:5000/site:latest@{digest_of('site:latest')}\n", result.stderr
    first = result.stderr.splitlines()[0]
    assert all(fact in first for fact in (str(site), "localhost:5000/site:latest", f"{bed.program} build"))
    assert "COPY busybox /bin/busybox" in result.stderr
    assert labels(bed, "site:latest") == {"who": "nobody", "stage": "ready"}

    other = site.rename(site.with_name("other")) / "Dockerfile"
    chosen = ["--file", str(other.rename(other.with_suffix(".dev"))), "--target", "base", "--build-arg", "WHO=me"]
    # Podman 4.3 takes a label with an ARG in it from its cache, whatever the ARG is.
    chosen.append("--no-cache")
    two = bed.ok("build", str(other.parent), *chosen, "-t", "team/app:1", "-t", "app", "-q", env=env)
    assert two == "localhost:5000/team/app:1\nlocalhost:5000/app:latest\n"
    assert digest_of("team/app:1") == digest_of("app:latest")
    assert labels(bed, "app:latest") == {"who": "me"}


def test_the_base_can_be_in_the_registry_that_requires_a_login(bed: Bed, site: Path, env: dict[str, str]) -> None:
    bed.ok("up", "--auth")
    if bed.program == "podman":
        bed.ok("podman-fix")
    bed.ok("build", str(site), env=env)
    (site / "Dockerfile").write_text("FROM localhost:5000/site:latest\nLABEL from=base\n")
    bed.engine_ok("rmi", "-f", "localhost:5000/site:latest")
    # A keychain that Docker would ask for every registry, and that has no such login.
    config = f"{bed.home}/.docker/config.json"
    bed.run("sh", "-c", f'mkdir -p {bed.home}/.docker && echo \'{{"credsStore": "of-no-machine"}}\' >{config}')
    logins = f"cat {config} $XDG_RUNTIME_DIR/containers/auth.json"
    before = bed.run("sh", "-c", logins).stdout
    bed.ok("build", str(site), "-t", "derived", "--no-cache", env=env)
    assert labels(bed, "derived")["from"] == "base"
    assert bed.run("sh", "-c", logins).stdout == before
    assert "of-no-machine" in before
    assert "localhost:5000" not in before
    bed.run("rm", config)
    assert bed.run("sh", "-c", "ls -d /run/localreg/build-* $XDG_RUNTIME_DIR/localreg/build-*").stdout == ""
    # Its own program still is not logged in.
    flags = ["--tls-verify=false"] if bed.program == "podman" else []
    assert bed.run(bed.program, "pull", *flags, "localhost:5000/site:latest").returncode != 0
    if bed.program == "podman":
        bed.ok("podman-fix", "--remove")


def test_a_secret_and_a_key_are_there_while_it_is_built(bed: Bed, site: Path, env: dict[str, str]) -> None:
    bed.up()
    key, token = make_key(bed, site.parent / "key"), site.parent / "token"
    token.write_text(SECRET)
    write_step(
        site,
        f"test -S $SSH_AUTH_SOCK && test \\\"$(/bin/busybox cat /token)\\\" = '{SECRET}' && echo ran $((40 + 2))",
        options="--mount=type=ssh --mount=type=secret,id=token,target=/token,mode=0444",
    )
    given = ["--ssh", f"default={key}", "--secret", f"id=token,src={token}"]
    for options, is_run in (([], True), ([], False), (["--no-cache"], True)):
        result = bed.localreg("build", str(site), *given, *options, env=env)
        assert result.returncode == 0, result.stderr
        assert ("ran 42" in result.stderr) is is_run


def make_key(bed: Bed, path: Path) -> Path:
    """A key of the bed's user."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    os.chown(path, bed.uid, bed.uid)
    return path


@docker_alone
def test_a_build_that_fails_leaves_the_registry_as_it_was(bed: Bed, site: Path, env: dict[str, str]) -> None:
    bed.up()
    pushed = bed.ok("build", str(site), env=env).strip()
    write_step(site, "echo it went wrong; exit 3")
    error = bed.refused(1, "build", str(site), env=env)
    assert "it went wrong" in error.partition("error: ")[0]
    last = error.splitlines()[-1]
    assert last.startswith("error: ")
    assert f"`{bed.program} build" in last
    assert re.search(r"\b[1-9]\d*\b", last)
    assert pushed.endswith(digest_of("site:latest"))
    unseen = bed.refused(1, "build", str(site), "-q", env=env)
    assert re.match(f"error: .*`{bed.program} build", unseen)
    assert "it went wrong" in unseen


def test_no_builder_is_left_when_it_is_told_to_end(bed: Bed, site: Path, env: dict[str, str]) -> None:
    bed.up()
    write_step(site, "exec /bin/busybox sleep 4321")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        with started(bed, site, env) as process:
            assert wait_until(is_at_the_step, seconds=30, is_alive=lambda: process.poll() is None)
            # As a terminal does with Ctrl-C: all get it, the builder as well.
            os.killpg(process.pid, number)
            out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (code, b"")
        # Docker's daemon ends what its client no longer waits for.
        assert nothing_is_left(), builders()
    assert bed.ok("ls") == ""


@rootless_podman_alone
def test_no_builder_is_left_when_localreg_alone_is_told_to_end(bed: Bed, site: Path, env: dict[str, str]) -> None:
    bed.up()
    write_step(site, "exec /bin/busybox sleep 4321")
    for number, code in ((signal.SIGHUP, 143), (signal.SIGKILL, -signal.SIGKILL)):
        with started(bed, site, env) as process:
            assert wait_until(is_at_the_step, seconds=30, is_alive=lambda: process.poll() is None)
            process.send_signal(number)
            # Nothing holds its streams any more.
            process.communicate(timeout=30)
        assert process.returncode == code
        # Podman does not always end the step, and after a kill nobody else is there to.
        may_stay = [] if number != signal.SIGKILL or bed.engine == "docker" else ["/bin/busybox sleep 4321"]
        assert nothing_is_left(but=frozenset(may_stay)), builders()
    end_steps()


def nothing_is_left(*, but: frozenset[str] = frozenset()) -> bool:
    """Before long nothing of a build is left that may not stay."""
    return wait_until(lambda: set(builders()) <= but, seconds=10)


@on_every_engine
def test_an_image_for_the_wrong_platform_is_not_pushed(bed: Bed, site: Path, env: dict[str, str]) -> None:
    """Podman before 5.8 takes the other one from its cache; localreg tells how to build the right one."""
    bed.up()
    (site / "Dockerfile").write_text("FROM scratch\nCOPY busybox /\n")
    bed.ok("build", str(site), "-t", "site:1", env=env)
    other = "linux/s390x"
    result = bed.localreg("build", str(site), "-t", "site:2", "--platform", other, env=env)
    if result.returncode:
        assert f"not for {other}" in result.stderr
        assert bed.ok("ls", "-q") == "localhost:5000/site:1\n"
        (hint,) = re.findall("^hint: localreg (.*)", result.stderr, re.MULTILINE)
        bed.ok(*hint.split(), env=env)
    platforms = {row["tag"]: row["platforms"] for row in json.loads(bed.ok("ls", "--json"))["images"]}
    assert platforms["2"] == [other] != platforms["1"]


def end_steps() -> None:
    for process, line in command_lines():
        if line[-2:] == STEP:
            with contextlib.suppress(psutil.Error):
                process.kill()


def started(
    bed: Bed, site: Path, env: Mapping[str, str], *more: str, stdin: int = subprocess.DEVNULL
) -> contextlib.AbstractContextManager[subprocess.Popen[bytes]]:
    """A build in a session of its own."""
    command = ("localreg", "--engine", bed.engine, "build", str(site), *more)
    return bed.started(*command, env=env, stdin=stdin, start_new_session=True)


def is_at_the_step() -> bool:
    return any(line.endswith("sleep 4321") for line in builders())


def builders() -> list[str]:
    """What builds, and the step that it runs."""
    return [
        " ".join(line)
        for _, line in command_lines()
        if line[-2:] == STEP or "--tag=localhost:5000/" in " ".join(line) or line[:1] == ["buildah-oci-runtime"]
    ]


def command_lines() -> Iterator[tuple[psutil.Process, list[str]]]:
    for process in psutil.process_iter():
        try:
            line = process.cmdline()
        except psutil.Error:
            continue
        yield process, line


def test_a_dockerfile_is_read_from_stdin(bed: Bed, site: Path, env: dict[str, str]) -> None:
    bed.up()
    for number, place in enumerate(("-", f"{site} --file -")):
        text = f"printf 'FROM scratch\\nLABEL number={number}\\n'"
        result = bed.run("sh", "-c", f"{text} | localreg --engine {bed.engine} build {place} -t app", env=env)
        assert result.returncode == 0, result.stderr
        assert labels(bed, "app:latest") == {"number": str(number)}


def built_while(bed: Bed, site: Path, env: Mapping[str, str], do: Callable[[], object]) -> tuple[int, str, str]:
    """Build, and do something before the builder has got its Dockerfile; returns the exit code and both streams."""
    with started(bed, site, env, "--file", "-", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        # Podman opens it by its name.
        os.fchown(process.stdin.fileno(), bed.uid, bed.uid)
        # From here on localreg waits for the builder.
        said = process.stderr.readline().decode()
        assert "localhost:5000/site:latest" in said, said + process.stderr.read().decode()
        do()
        out, err = process.communicate(b"FROM scratch\nLABEL who=me\n", timeout=60)
    return process.returncode, out.decode(), err.decode()


@rootless_podman_alone
def test_the_push_goes_to_where_the_registry_is_by_then(bed: Bed, site: Path, env: dict[str, str]) -> None:
    bed.up()
    port = free_port()
    code, out, err = built_while(bed, site, env, lambda: bed.ok("up", "--recreate", "--port", str(port)))
    assert (code, out.partition("@")[0]) == (0, f"localhost:{port}/site:latest"), err
    assert bed.ok("ls", "-q") == f"localhost:{port}/site:latest\n"


@docker_alone
def test_what_is_built_can_be_pushed_when_the_registry_is_back(bed: Bed, site: Path, env: dict[str, str]) -> None:
    bed.up()
    code, out, err = built_while(bed, site, env, lambda: bed.engine_ok("stop", "registry"))
    error, said, hint = err.splitlines()[-3:]
    assert (code, out) == (6, "")
    assert re.match("error: .*`registry`", error)
    assert "is stopped" in error
    enough = f"localreg --engine {bed.engine} push localhost:5000/site:latest"
    assert f"`{enough}`" in said
    assert hint == f"hint: localreg --engine {bed.engine} up"
    bed.up()
    assert bed.run(*enough.split()).returncode == 0
    assert bed.ok("ls", "-q") == "localhost:5000/site:latest\n"


CONFINED = """\
#!/bin/sh
exec unshare --mount sh -c 'mount -t tmpfs tmpfs {hidden} && exec {docker} "$@"' sh "$@"
"""
"""A `docker` with a folder for temporary files of its own, as the one from a snap has."""


def test_a_docker_program_that_sees_other_temporary_files_builds(
    docker: Bed, site: Path, folder: Path, env: dict[str, str]
) -> None:
    hidden = folder / "tmp"
    hidden.mkdir()
    program = folder / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(CONFINED.format(hidden=hidden, docker=shutil.which("docker", path=env["PATH"])))
    program.chmod(0o755)
    docker.up()
    result = docker.localreg("build", str(site), env={"PATH": f"{program.parent}:{env['PATH']}", "TMPDIR": str(hidden)})
    assert result.stdout == f"localhost:5000/site:latest@{digest_of('site:latest')}\n", result.stderr


def test_a_podman_on_a_socket_is_built_in_through_it(rootless: Bed, site: Path) -> None:
    """A socket that variables name as Docker's, too: what answers there is Podman, and not the user's own service."""
    write_step(site, "test -S $SSH_AUTH_SOCK", options="--mount=type=ssh")
    key = make_key(rootless, site.parent / "key")
    named = {"DOCKER_HOST": f"unix://{rootless.api.socket}"}
    assert rootless.run("localreg", "up", env=named).returncode == 0
    result = rootless.run("localreg", "build", str(site), "--ssh", f"default={key}", env=named)
    assert result.stdout == f"localhost:5000/site:latest@{digest_of('site:latest')}\n", result.stderr


def test_docker_is_the_one_of_the_context(docker: Bed, site: Path, folder: Path, env: dict[str, str]) -> None:
    named = env | {"DOCKER_CONFIG": str(folder / "configuration"), "DOCKER_CONTEXT": "there"}
    created = docker.run(
        *("docker", "context", "create", "there", "--docker", "host=unix:///var/run/docker.sock"),
        env={**named, "DOCKER_CONTEXT": "default"},
    )
    assert created.returncode == 0, created.stderr
    docker.ok("up", env=named)
    assert json.loads(docker.ok("status", "--json", env=named))["engine"]["context"] == "there"
    assert docker.ok("build", str(site), env=named).startswith("localhost:5000/site:latest@sha256:")


def test_on_a_terminal_the_builder_draws_as_it_likes(docker: Bed, site: Path, env: Mapping[str, str]) -> None:
    docker.up()
    screen = seen(View(80).open(docker, f"localreg --engine docker build {site}", env=env), code=0)
    shown = "\n".join(line.plain for line in screen.lines)
    assert "[+] Building " in shown
    assert shown.endswith(f"localhost:5000/site:latest ({digest_of('site:latest').removeprefix('sha256:')[:12]})")
