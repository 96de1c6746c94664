"""Words after TAB, asked for by the shells themselves: bash, zsh and fish."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.engines.real import BEDS, Bed, require_testbed

PROGRAMS = str(Path(sys.executable).parent)
PATIENCE = 20.0


def offered(bed: Bed, *words: str, env: dict[str, str] | None = None) -> list[str]:
    """What localreg offers a shell."""
    result = bed.run("localreg", "__complete", *words, env=env)
    assert (result.returncode, result.stderr) == (0, "")
    return [line.partition("\t")[0] for line in result.stdout.splitlines() if line]


@pytest.fixture
def filled(bed: Bed, folder: Path) -> Bed:
    bed.add_image("localhost/app:1", folder)
    # Its service of Podman stays for a moment: a completion uses it, and starts none.
    bed.ok("up")
    bed.push("localhost/app:1", name="team/app:1")
    bed.push("localhost/app:1", name="team/app:dev")
    return bed


def test_images_and_references_are_offered(filled: Bed) -> None:
    engine = filled.engine
    assert "app:1" in offered(filled, "--engine", engine, "push", "ap")
    assert offered(filled, "--engine", engine, "pull", "te") == ["team/app:1", "team/app:dev"]
    for command in ("rm", "save", "copy"):
        assert offered(filled, command, "--engine", engine, "team/app:d") == ["team/app:dev"]
    assert offered(filled, "pull", "--name", "nosuch", "") == []
    assert offered(filled, "--engine", engine, "down", "") == ["registry"]
    assert offered(filled, "--engine", engine, "ls", "--name", "re") == ["registry"]
    assert offered(filled, "--engine", engine, "ls", "--vers") == []
    assert offered(filled, f"--engine={engine}", "ls", "--name=re") == ["--name=registry"]
    here = filled.ok("url", "-q").strip()
    assert offered(filled, "--engine", engine, "pull", f"{here}/te") == [f"{here}/team/app:1", f"{here}/team/app:dev"]
    assert offered(filled, "--engine", engine, "pull", "localhost:1/te") == []


def test_nothing_is_offered_and_nothing_said_where_nothing_answers(tmp_path: Path) -> None:
    require_testbed()
    root = BEDS["docker"]
    environment = {"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    assert offered(root, "push", "", env=environment) == []
    assert offered(root, "pull", "", env=environment) == []
    assert "push" in offered(root, "", env=environment)
    (tmp_path / "localreg.toml").write_text("port = ")
    result = subprocess.run(["localreg", "__complete", "pull", ""], cwd=tmp_path, capture_output=True, check=True)
    assert (result.stdout.strip(), result.stderr) == (b"", b"")


BASH = """
source <(localreg completion bash)
COMP_LINE=$1 COMP_POINT=${#1}
_localreg
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("localreg pu", ["push", "pull"]),
        ("localreg up --pull ", ["missing", "always", "never"]),
        ("localreg --engine docker pull team/", ["team/app:1", "team/app:dev"]),
        # What stands before the colon is there already.
        ("localreg pull team/app:d", ["dev"]),
        ("localreg completion ", ["bash", "zsh", "fish"]),
        # So is what stands before a `=`.
        ("localreg ls --format=p", ["plain"]),
    ],
)
def test_bash_completes(docker: Bed, folder: Path, line: str, words: list[str]) -> None:
    docker.add_image("localhost/app:1", folder)
    docker.up()
    docker.push("localhost/app:1", name="team/app:1")
    docker.push("localhost/app:1", name="team/app:dev")
    result = docker.run("bash", "-c", BASH, "bash", line)
    assert (result.stdout.split(), result.stderr) == (words, "")


def test_fish_completes(docker: Bed, folder: Path) -> None:
    docker.add_image("localhost/app:1", folder)
    docker.up()
    docker.push("localhost/app:1", name="team/app:dev")
    script = "localreg completion fish | source; complete -C $argv[1]"
    assert re.search(r"^push\t\S", docker.run("fish", "-c", script, "localreg pu").stdout, re.MULTILINE)
    assert docker.run("fish", "-c", script, "localreg pull te").stdout.split() == ["team/app:dev"]
    for command in ("build", "push", "load -i", "save -o"):
        assert "/etc/" in docker.run("fish", "-c", script, f"localreg {command} /et").stdout.split()
    assert "--format=plain" in docker.run("fish", "-c", script, "localreg ls --format=pl").stdout.split()


def test_fish_offers_no_option_of_another_command(docker: Bed, tmp_path: Path) -> None:
    # It makes this file of the manual page, in which every command's options stand on one page.
    generated = tmp_path / "data/fish/generated_completions/localreg.fish"
    generated.parent.mkdir(parents=True)
    generated.write_text("complete -c localreg -l probe-url\n")
    folders = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "XDG_DATA_HOME": str(tmp_path / "data")}
    (tmp_path / "config/fish/completions").mkdir(parents=True)
    docker.run("sh", "-c", f"localreg completion fish > {tmp_path}/config/fish/completions/localreg.fish")
    found = docker.run("fish", "-c", "complete -C $argv[1]", "localreg up --p", env=folders).stdout
    assert re.findall(r"^--\S+", found, re.MULTILINE) == ["--password-stdin", "--podman-fix", "--port", "--pull"]


def test_zsh_completes_at_a_prompt(docker: Bed, folder: Path) -> None:
    docker.add_image("localhost/app:1", folder)
    docker.up()
    docker.push("localhost/app:1", name="team/app:dev")
    screen = typed_into_zsh(docker, "localreg pull te\t\n")
    assert "localreg pull team/app:dev" in screen
    # Images have no description.
    assert "--" not in typed_into_zsh(docker, "localreg pull \t\t\n").partition("\n")[2]
    for command in ("push", "load -i"):
        assert f"localreg {command} /etc/passwd" in typed_into_zsh(docker, f"localreg {command} /etc/passw\t --help\n")
    assert "localreg podman-fix" in typed_into_zsh(docker, "localreg pod\t --dry-run\n")


def typed_into_zsh(bed: Bed, keys: str) -> str:
    """What a terminal shows when this is typed at zsh's prompt, until the command that it completed has run."""
    near, far = pty.openpty()
    environment = {**bed.environment, "PS1": "READY ", "TERM": "xterm"}
    with subprocess.Popen(
        ["zsh", "-f", "-i"], stdin=far, stdout=far, stderr=far, env=environment, start_new_session=True
    ) as shell:
        os.close(far)
        os.write(near, b"PS1='READY '; autoload -U compinit; compinit -u -D; source <(localreg completion zsh)\n")
        read_until(near, r"READY .*READY .*READY ")
        os.write(near, keys.replace("\n", "").encode())
        seen = read_until(near, re.escape(keys.partition("\t")[0]) + r"\S")
        os.write(near, b"\nexit\n")
        seen += read_until(near, None)
        shell.wait(timeout=PATIENCE)
    os.close(near)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", seen)


def read_until(terminal: int, pattern: str | None) -> str:
    seen = ""
    deadline = time.monotonic() + PATIENCE
    while pattern is None or not re.search(pattern, seen, re.DOTALL):
        ready, _, _ = select.select([terminal], [], [], max(deadline - time.monotonic(), 0))
        assert ready, f"{pattern!r} did not come, but {seen!r}"
        try:
            data = os.read(terminal, 65536)
        except OSError:
            data = b""
        if not data:
            assert pattern is None, f"the shell ended without {pattern!r}: {seen!r}"
            return seen
        seen += data.decode(errors="replace")
    return seen
