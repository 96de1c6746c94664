"""A registry that requires a login, on real engines: its users, every command, and where its passwords are not."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from support.engines.real import Bed, docker_alone, rootless_podman_alone

MARKER = "kr0nk0rde-Marker-7f3a"
"""A password that nothing but stores may hold."""
PATH = "/var/lib/registry/localreg/htpasswd"


def store_of(bed: Bed) -> Path:
    return bed.home / ".local/share/localreg/auth.json"


def status_over_http(url: str, user: str, password: str) -> str:
    """What curl gets for the catalog, with a login that is in no argument."""
    answer = subprocess.run(
        ["curl", "-sk", "-K", "-", "-o", "/dev/null", "-w", "%{http_code}", f"{url}/v2/_catalog"],
        input=f'user = "{user}:{password}"\n',
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


@contextmanager
def watched_processes() -> Iterator[list[str]]:
    """The command lines and environments of all processes that run meanwhile, as often as they can be read."""
    seen: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            for process in psutil.process_iter():
                try:
                    seen.add("\0".join([*process.cmdline(), *process.environ().values()]))
                except (psutil.Error, OSError):
                    continue

    watcher = threading.Thread(target=watch)
    found: list[str] = []
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()
        found.extend(seen)


def test_every_command_logs_in(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    # With and without TLS.
    said = bed.localreg("up", "--auth", *(["--tls"] if bed.program == "docker" else []))
    assert said.returncode == 0, said.stderr
    assert store_of(bed).stat().st_mode & 0o777 == 0o600
    (stored,) = json.loads(store_of(bed).read_text())["auths"].values()
    assert stored["auth"] not in said.stdout + said.stderr
    url = bed.ok("url").strip()
    assert status_over_http(url, "localreg", "wrong") == "401"
    log = bed.engine_ok("logs", "registry")
    assert "provisioning" not in log

    bed.ok("push", "localhost/app:1", "--as", "app:1")
    status = json.loads(bed.ok("status", "--json"))
    assert (status["health"], status["requires_login"], status["login_user"]) == ("healthy", True, "localreg")
    assert status["repositories"] == 1
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
    for command in ("inspect app:1", "du", "gc --dry-run", "prune --keep 1 --dry-run", "pull app:1"):
        bed.ok(*command.split())
    archive = folder / "app.tar"
    folder.chmod(0o777)
    bed.ok("save", "app:1", "-o", str(archive))
    bed.ok("push", str(archive), "--as", "again:1")
    bed.ok("copy", "localhost:5000/app:1", "localhost:5000/copied:1")
    assert "copied:1" in bed.run("localreg", "__complete", "--engine", bed.engine, "rm", "cop").stdout
    bed.ok("rm", "again:1")

    # Plain pushes of the engine's own program work once that is logged in.
    flags = ["--tls-verify=false"] if bed.program == "podman" else []
    refused = bed.run(bed.program, "push", *flags, "localhost:5000/app:1")
    assert refused.returncode != 0
    bed.ok("login")
    bed.engine_ok("push", *flags, "localhost:5000/app:1")
    bed.ok("logout")
    assert bed.run(bed.program, "push", *flags, "localhost:5000/app:1").returncode != 0


@rootless_podman_alone
def test_users_change_at_once_and_stay_with_the_images(bed: Bed) -> None:
    bed.ok("up", "--auth")
    url = bed.ok("url").strip()
    # Two changes within a second: each counts.
    for password in ("one-password", "another-password"):
        bed.ok_with(password, "auth", "add", "ci", "--password-stdin")
        assert status_over_http(url, "ci", password) == "200"
    assert status_over_http(url, "ci", "one-password") == "401"
    assert bed.ok("auth", "ls") == "localreg\nci\n"
    bed.ok("auth", "rm", "ci")
    assert status_over_http(url, "ci", "another-password") == "401"
    assert "only user" in bed.refused(5, "auth", "rm", "localreg")

    stored = store_of(bed).read_text()
    bed.ok_with("another-password", "auth", "add", "ci", "--password-stdin")
    bed.ok("up", "--recreate")
    bed.ok("down")
    bed.ok("up", "--auth", "--port", "5003")
    moved = store_of(bed).read_text()
    assert json.loads(stored)["auths"]["localhost:5000"] == json.loads(moved)["auths"]["localhost:5003"]
    assert status_over_http("http://localhost:5003", "ci", "another-password") == "200"
    assert bed.ok("ls") == ""
    # Discarded after its container, as `down` proposes.
    bed.ok("down")
    bed.ok("down", "--volumes")
    assert json.loads(store_of(bed).read_text())["auths"] == {}


@docker_alone
def test_a_wrong_password_is_one_error_with_its_cure(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.ok("up", "--auth")
    store = store_of(bed)
    content = json.loads(store.read_text())
    (login,) = content["auths"].values()
    login["auth"] = "bG9jYWxyZWc6d3Jvbmc="
    store.write_text(json.dumps(content))
    for command in ("push localhost/app:1 --as app:1", "ls", "pull app:1"):
        error = bed.refused(6, *command.split())
        assert "does not accept the stored login" in error
        assert "hint: localreg --engine docker login" in error
    assert "hint: localreg --engine docker auth add localreg" in bed.refused(6, "login")
    bed.ok_with("a-new-password", "auth", "add", "localreg", "--password-stdin")
    bed.ok("push", "localhost/app:1", "--as", "app:1")


@docker_alone
def test_a_registry_of_others_is_used_with_the_login_of_the_engines_program(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    bed.ok_with(MARKER, "up", "--auth", "--auth-user", "me", "--password-stdin")
    bed.ok("login")
    store_of(bed).unlink()
    bed.ok("push", "localhost/app:1", "--as", "app:1")
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
    bed.ok("logout")
    assert "requires a login" in bed.refused(6, "ls")
    # A container that localreg did not make, with the same users.
    bed.engine_ok("rm", "-f", "registry")
    environment = ["-e", "REGISTRY_AUTH_HTPASSWD_REALM=r", "-e", f"REGISTRY_AUTH_HTPASSWD_PATH={PATH}"]
    volume, port = ["-v", "localreg-registry:/var/lib/registry"], ["-p", "127.0.0.1:5000:5000"]
    bed.engine_ok("run", "-d", "--name", "registry", *environment, *volume, *port, "localhost/localreg-registry:2.8.3")
    bed.ok_with(MARKER, "login", "--username", "me", "--password-stdin")
    store_of(bed).unlink()
    assert bed.ok("ls", "-q") == "localhost:5000/app:1\n"
    bed.ok("push", "localhost/app:1", "--as", "app:2")


@docker_alone
def test_a_password_is_nowhere_but_in_stores(bed: Bed, folder: Path) -> None:
    bed.add_image("localhost/app:1", folder)
    said = []
    with watched_processes() as processes:
        said.append(bed.piped(MARKER, "up", "--auth", "--password-stdin", "--debug"))
        said += [
            bed.localreg(*command.split(), "--debug")
            for command in (
                "push localhost/app:1 --as app:1",
                "pull app:1",
                "ls --json",
                "status --json",
                "auth ls --json",
                "login --json",
                "config",
                "logout",
                "pull nosuch:1",
            )
        ]
        said.append(bed.piped(f"{MARKER}2", "auth", "add", "ci", "--password-stdin", "--debug", "--json"))
        said.append(bed.piped(f"{MARKER}3", "login", "-u", "ci", "--password-stdin", "--debug"))
        said.append(bed.piped(MARKER + "x" * 60, "auth", "add", "long", "--password-stdin", "--debug"))
    assert [each.returncode for each in said] == [0] * 9 + [4, 0, 6, 2], [each.stderr for each in said]
    places = {
        "output": "".join(each.stdout + each.stderr for each in said),
        "inspect": json.dumps(bed.inspect("registry")),
        "log": "".join(bed.run(bed.program, "logs", "registry").stdout)
        + bed.run(bed.program, "logs", "registry").stderr,
        "processes": "\n".join(processes),
    }
    assert any("localreg" in each for each in processes)
    assert [place for place, text in places.items() if MARKER in text] == []
    modes = bed.engine_ok("exec", "registry", "sh", "-c", f"stat -c '%a %u' {PATH} $(dirname {PATH})")
    assert modes.split() == ["600", "0", "755", "0"]
    assert MARKER not in bed.engine_ok("exec", "registry", "cat", PATH)


@docker_alone
def test_there_is_no_start_without_users(bed: Bed) -> None:
    bed.ok("up", "--auth")
    bed.engine_ok("exec", "registry", "rm", PATH)
    bed.engine_ok("stop", "registry")
    bed.ok("up")
    assert bed.ok("auth", "ls") == "localreg\n"
    assert bed.ok("ls") == ""
    assert "provisioning" not in bed.engine_ok("logs", "registry")
