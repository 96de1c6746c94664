"""Pipelines that `ci` prints, run for real on a machine of their own, which reaches the far host by ssh alone."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.engines.real import Bed
from support.pipeline_snippets import steps, with_values
from support.tunnels.far_host import FarHost, far_host
from support.tunnels.pipeline_machine import Runner, runner, write_client_image

from localreg.system.waiting import wait_until

pytestmark = [pytest.mark.together, pytest.mark.long]

PASSWORD = "of-the-pipeline"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "team/ansible-playbook"
TUNNEL = 'command="/bin/false",restrict,port-forwarding,permitlisten="127.0.0.1:5000",permitopen="127.0.0.1:5000" '
"""What the key of the machine with the registry may do on the far host, as the how-to has it."""


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory, registry_archive: Path) -> Iterator[FarHost]:  # noqa: ARG001 -- opens
    """The far host."""
    folder = tmp_path_factory.mktemp("far")
    folder.chmod(0o755)
    with far_host(folder) as found:
        yield found


@pytest.fixture(scope="module")
def ci(tmp_path_factory: pytest.TempPathFactory, far: FarHost) -> Iterator[Runner]:
    """The machine that runs pipelines."""
    folder = tmp_path_factory.mktemp("runner")
    with runner(folder, far) as found:
        write_client_image(folder / "client.tar")
        found.docker("import", str(folder / "client.tar"), "docker:28-cli")
        yield found


@contextlib.contextmanager
def answering(far: FarHost, program: Path, folder: Path) -> Iterator[None]:
    """A registry on the far host's loopback, as a tunnel would make it answer."""
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder}/data}}}}\nhttp: {{addr: '127.0.0.1:5000'}}\n"
    )
    with subprocess.Popen(far.command([str(program), "serve", str(config)]), stderr=subprocess.DEVNULL) as process:
        assert wait_until(far.answers, seconds=20)
        yield
        process.kill()


@pytest.fixture
def tunnel(far: FarHost, registry_program: Path, tmp_path: Path) -> Iterator[None]:
    """What answers on the far host while the test runs."""
    with answering(far, registry_program, tmp_path):
        yield


def snippet(far: FarHost, *arguments: str) -> str:
    result = subprocess.run(
        ["localreg", "ci", *arguments, "--host", far.host, "--image", REPOSITORY],
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


SHELLS = {"bitbucket": ("bash",), "github": ("bash", "-e"), "gitlab": ("busybox", "ash"), "shell": ("sh",)}
"""What runs the lines there; the image of GitLab's job has busybox only."""


def pasted_on_windows(text: str) -> str:
    return text.rstrip("\n").replace("\n", "\r\n")


def play(
    ci: Runner,
    system: str,
    text: str,
    *,
    engine: str = "docker",
    known_hosts: str | None = None,
    more: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Do with a snippet what its system does.

    Args:
        ci: Where.
        system: Whose part it is.
        text: The snippet.
        engine: Which it is for.
        known_hosts: What the system was given; None for what is right.
        more: What is set otherwise.
    """
    temporary = ci.folder / "temporary"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    key = temporary / "given-key"
    # As pasted from an editor on Windows, without the last line break; GitLab makes a file of such a mode.
    pasted = pasted_on_windows(ci.key.read_text())
    key.write_bytes(pasted.encode())
    key.chmod(0o666 if system == "gitlab" else 0o600)
    given_hosts = temporary / "given-known-hosts"
    pasted_hosts = pasted_on_windows(ci.known_hosts.read_text() if known_hosts is None else known_hosts)
    given_hosts.write_bytes(pasted_hosts.encode())
    env = {
        "bitbucket": {"BITBUCKET_COMMIT": COMMIT, "BITBUCKET_SSH_KEY_FILE": str(key)},
        "github": {"GITHUB_SHA": COMMIT, "RUNNER_TEMP": str(temporary)},
        "gitlab": {
            "CI_COMMIT_SHA": COMMIT,
            "LOCALREG_SSH_KEY": str(key),
            "LOCALREG_KNOWN_HOSTS": str(given_hosts),
        },
        "shell": {"LOCALREG_TAG": COMMIT, "LOCALREG_SSH_KEY": str(key)},
    }[system] | dict(more or {})
    values = {"LOCALREG_SSH_KEY": pasted, "LOCALREG_KNOWN_HOSTS": pasted_hosts, "LOCALREG_PASSWORD": PASSWORD}
    apart = system == "gitlab" and engine == "docker"
    *before, last = steps(system, text)
    for step in before:
        assert ci.play(step.script, shell=SHELLS[system], env=env | with_values(step.env, values)).returncode == 0
    result = ci.play(last.script, shell=SHELLS[system], env=env | with_values(last.env, values), apart=apart)
    assert ci.is_clean()
    return result


def test_a_pipeline_pushes_through_the_tunnel_what_the_laptop_pulls_and_runs(
    bed: Bed, far: FarHost, ci: Runner
) -> None:
    key = far.let_in(bed)
    authorized = far.folder / "authorized_keys"
    public = key.with_suffix(".pub").read_text()
    authorized.write_text(authorized.read_text().replace(public, TUNNEL + public))
    bed.ok("up", "--auth")
    bed.ok_with(PASSWORD, "auth", "add", "ci", "--password-stdin")
    bed.ok("tunnel", "open", far.host, "--identity", str(key), "--background")
    try:
        # The host is that of the tunnel, and the user as well: the registry requires a login.
        printed = bed.ok("ci", "github", "--image", REPOSITORY)
        assert f"\n          host={far.host}\n" in printed
        played = play(ci, "github", printed)
        assert played.returncode == 0, played.stdout + played.stderr
    finally:
        bed.ok("tunnel", "close")
    assert bed.ok("ls", "-q").splitlines() == [f"localhost:5000/{REPOSITORY}:{tag}" for tag in (COMMIT, "latest")]
    assert json.loads(bed.ok("pull", REPOSITORY, "--json"))
    assert bed.engine_ok("run", "--rm", f"localhost:5000/{REPOSITORY}:latest") == "from the pipeline\n"


@pytest.mark.usefixtures("tunnel")
@pytest.mark.parametrize(
    ("system", "engine"),
    [
        ("bitbucket", "docker"),
        ("gitlab", "docker"),
        ("shell", "docker"),
        ("github", "podman"),
        ("gitlab", "podman"),
        ("shell", "podman"),
    ],
)
def test_each_systems_pipeline_pushes(far: FarHost, ci: Runner, system: str, engine: str) -> None:
    played = play(ci, system, snippet(far, system, "--engine", engine), engine=engine)
    assert played.returncode == 0, played.stdout + played.stderr
    listed = json.loads(far.ok("curl", "-s", f"http://127.0.0.1:5000/v2/{REPOSITORY}/tags/list"))
    assert sorted(listed["tags"]) == [COMMIT, "latest"]


@pytest.mark.usefixtures("tunnel")
def test_the_script_for_any_machine_asks_the_agent_where_there_is_no_key(far: FarHost, ci: Runner) -> None:
    agent = ci.folder / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(agent)], stdout=subprocess.DEVNULL) as process:
        try:
            assert wait_until(agent.exists, seconds=10)
            env = {"SSH_AUTH_SOCK": str(agent), "LOCALREG_TAG": "1"}
            subprocess.run(["ssh-add", "-q", ci.key], env=env, check=True)
            played = ci.play(snippet(far, "shell"), shell=SHELLS["shell"], env=env)
        finally:
            process.terminate()
    assert played.returncode == 0, played.stdout + played.stderr
    assert far.ok("curl", "-sf", f"http://127.0.0.1:5000/v2/{REPOSITORY}/manifests/1")
    without = ci.play(snippet(far, "shell"), shell=SHELLS["shell"], env={"LOCALREG_TAG": "1"})
    assert without.returncode != 0
    assert "ssh-agent" in without.stderr
    assert "LOCALREG_SSH_KEY" in without.stderr


CRASH = "#!/bin/sh\nkill -SEGV $$\n"
"""A program that dies of a signal, as the wget of Debian 12's busybox does on `-T`."""


def with_only(ci: Runner, folder: Path, *applets: str) -> dict[str, str]:
    """The environment of a machine that has ssh, docker and these parts of busybox."""
    for name in applets:
        (folder / name).symlink_to(ci.programs / "busybox")
    for name in ("ssh", "docker"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    return {"PATH": str(folder), "LOCALREG_TAG": "1", "LOCALREG_SSH_KEY": str(ci.key)}


def write_crashing_wget(folder: Path) -> None:
    (folder / "wget").write_text(CRASH)
    (folder / "wget").chmod(0o755)


@pytest.mark.usefixtures("tunnel")
def test_the_script_for_any_machine_needs_little_of_it(far: FarHost, ci: Runner, tmp_path: Path) -> None:
    env = with_only(ci, tmp_path, "mktemp", "rm", "sh", "sleep", "tr", "wget")
    played = ci.play(snippet(far, "shell"), shell=(str(ci.programs / "busybox"), "ash"), env=env)
    assert played.returncode == 0, played.stdout + played.stderr


@pytest.mark.usefixtures("tunnel")
@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])
def test_a_wget_that_crashes_ends_the_script_at_once(far: FarHost, ci: Runner, tmp_path: Path, shell: str) -> None:
    # Without `sleep`, a second attempt would fail with another error.
    env = with_only(ci, tmp_path, "mktemp", "rm", "tr")
    write_crashing_wget(tmp_path)
    played = ci.play(snippet(far, "shell"), shell=(shell,), env=env)
    assert played.returncode == 1
    error, hint = played.stderr.splitlines()[-2:]
    assert re.match(r"error: .*\bwget\b", error)
    assert re.match(r"hint: .*\bcurl\b", hint)
    assert ci.is_clean()


@pytest.mark.usefixtures("tunnel")
def test_a_wget_that_crashes_is_not_used_if_there_is_curl(far: FarHost, ci: Runner, tmp_path: Path) -> None:
    env = with_only(ci, tmp_path, "mktemp", "rm", "sleep", "tr")
    write_crashing_wget(tmp_path)
    (tmp_path / "curl").symlink_to("/usr/bin/curl")
    played = ci.play(snippet(far, "shell"), shell=("/bin/sh",), env=env)
    assert played.returncode == 0, played.stdout + played.stderr


@pytest.mark.usefixtures("tunnel")
def test_a_wget_that_crashes_in_the_container_of_ssh_is_named(far: FarHost, ci: Runner, tmp_path: Path) -> None:
    write_client_image(tmp_path / "client.tar", wget=CRASH)
    ci.docker("import", str(tmp_path / "client.tar"), "docker:crashing")
    text = snippet(far, "gitlab").replace("docker:28-cli", "docker:crashing").replace("tries=30", "tries=3")
    played = play(ci, "gitlab", text)
    assert played.returncode == 1
    error, hint = played.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert {"wget", "docker:crashing"} <= {*error.split()}
    assert hint.startswith("hint: ")


@pytest.mark.parametrize("system", ["bitbucket", "gitlab"])
def test_a_pipeline_waits_for_the_tunnel(
    far: FarHost, ci: Runner, registry_program: Path, tmp_path: Path, system: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        playing = pool.submit(play, ci, system, snippet(far, system))
        # It is there, and has found nothing yet.
        assert not wait_until(playing.done, seconds=2)
        with answering(far, registry_program, tmp_path):
            played = playing.result()
    assert played.returncode == 0, played.stdout + played.stderr


@pytest.mark.parametrize("system", ["bitbucket", "github", "gitlab", "shell"])
def test_without_a_tunnel_a_pipeline_says_within_its_bound_what_to_do(far: FarHost, ci: Runner, system: str) -> None:
    # It tries as often as ever, without the seconds between.
    text = snippet(far, system)
    assert "sleep 1" in text
    played = play(ci, system, text.replace("sleep 1", "sleep 0"))
    assert played.returncode == 1, played.stdout + played.stderr
    error, hint = played.stderr.splitlines()[-2:]
    assert error.startswith("error: ")
    assert "127.0.0.1:5000" in error
    assert far.host in error
    assert hint.startswith("hint: ")
    assert hint.endswith(f" localreg tunnel open {far.host}")


@pytest.mark.parametrize("system", ["github", "gitlab", "shell"])
def test_a_key_that_is_not_let_in_ends_a_pipeline_at_once(far: FarHost, ci: Runner, system: str) -> None:
    authorized = far.folder / "authorized_keys"
    before = authorized.read_text()
    authorized.write_text("")
    try:
        played = play(ci, system, snippet(far, system))
    finally:
        authorized.write_text(before)
    assert played.returncode == 1
    assert "Permission denied (publickey)" in played.stderr
    assert re.search(rf"^error: .*\b{re.escape(far.host)}\b", played.stderr, re.MULTILINE)
    # It did not wait for a tunnel to be opened.
    assert "localreg tunnel open" not in played.stderr


@pytest.mark.usefixtures("tunnel")
@pytest.mark.parametrize(("system", "engine"), [("github", "docker"), ("gitlab", "docker"), ("gitlab", "podman")])
def test_a_pipeline_knows_the_far_host_from_what_it_was_given(
    far: FarHost, ci: Runner, system: str, engine: str
) -> None:
    text = snippet(far, system, "--engine", engine)
    with far.forgotten():
        assert play(ci, system, text, engine=engine).returncode == 0
        played = play(ci, system, text, engine=engine, known_hosts="else.example.com ssh-ed25519 AAAA\n")
    assert played.returncode == 1
    assert "Host key verification failed" in played.stderr


@pytest.mark.parametrize("system", ["bitbucket", "shell"])
def test_a_pipeline_does_not_trust_a_far_host_that_nobody_knows(far: FarHost, ci: Runner, system: str) -> None:
    with far.forgotten():
        played = play(ci, system, snippet(far, system))
    assert played.returncode == 1
    assert "Host key verification failed" in played.stderr


@pytest.mark.parametrize(("system", "engine"), [("gitlab", "docker"), ("gitlab", "podman"), ("shell", "docker")])
def test_a_key_in_place_of_its_file_is_shown_to_nobody(far: FarHost, ci: Runner, system: str, engine: str) -> None:
    key = ci.key.read_text()
    played = play(ci, system, snippet(far, system, "--engine", engine), engine=engine, more={"LOCALREG_SSH_KEY": key})
    assert played.returncode == 1
    assert "error: " in played.stderr
    assert "LOCALREG_SSH_KEY" in played.stderr
    assert not [line for line in key.splitlines() if line in played.stdout + played.stderr]


def test_a_secret_that_is_not_set_is_said(far: FarHost, ci: Runner) -> None:
    key, _ = steps("github", snippet(far, "github"))
    env = {"RUNNER_TEMP": str(ci.folder), "KEY": "", "KNOWN_HOSTS": "x"}
    played = ci.play(key.script, shell=SHELLS["github"], env=env)
    assert played.returncode != 0
    assert "LOCALREG_SSH_KEY" in played.stderr


def test_the_key_of_a_pipeline_runs_nothing_on_the_far_host(far: FarHost, ci: Runner) -> None:
    command = f"ssh -i {ci.key} -o UserKnownHostsFile={ci.known_hosts} {far.host} id"
    played = ci.play(command, shell=SHELLS["shell"], env={})
    assert (played.returncode, played.stdout) == (1, "")


def test_a_docker_that_does_not_come_is_said(far: FarHost, ci: Runner) -> None:
    text = snippet(far, "gitlab").replace("sleep 1", "sleep 0")
    played = play(ci, "gitlab", text, more={"DOCKER_HOST": "tcp://127.0.0.1:1"})
    assert played.returncode == 1
    assert "Cannot connect to the Docker daemon at tcp://127.0.0.1:1" in played.stderr


def test_the_script_says_what_it_cannot_do_without(far: FarHost, ci: Runner, tmp_path: Path) -> None:
    env = {"PATH": str(tmp_path), "LOCALREG_TAG": "1", "LOCALREG_SSH_KEY": str(ci.key)}
    # Not busybox, which has a wget of its own.
    played = ci.play(snippet(far, "shell"), shell=("/bin/sh",), env=env)
    error, hint = played.stderr.splitlines()
    assert played.returncode == 1
    assert error.startswith("error: ")
    assert {"curl", "wget"} <= {*error.split()}
    assert re.match(r"hint: .*\bcurl\b", hint)
