"""The error that podman-fix exists for, and its cure."""

from __future__ import annotations

import json
import re
from pathlib import Path

from support.engines.real import Bed, on_each_podman
from support.faults.table import Fault, fault

ETC = Path("/etc/containers/registries.conf.d")


def drop_in(bed: Bed) -> Path:
    if bed.uid:
        return bed.home / ".config/containers/registries.conf.d/50-localreg.conf"
    return ETC / "50-localreg-system.conf"


@on_each_podman
def test_plain_podman_push_fails_before_and_works_after(podman: Bed, folder: Path) -> None:
    podman.add_image("localhost:5000/alpine:latest", folder)
    hint = podman.localreg("up").stderr
    assert "`localreg --engine podman podman-fix`" in hint

    before = podman.run("podman", "push", "localhost:5000/alpine:latest")
    assert before.returncode != 0
    assert "server gave HTTP response to HTTPS client" in before.stderr

    assert podman.ok("podman-fix") == f"wrote {drop_in(podman)}\n"
    podman.engine_ok("push", "localhost:5000/alpine:latest")
    podman.engine_ok("push", "localhost:5000/alpine:latest", "127.0.0.1:5000/again:1")
    assert podman.ok("ls", "-q") == "localhost:5000/again:1\nlocalhost:5000/alpine:latest\n"
    assert str(drop_in(podman)) in podman.ok("status")

    assert podman.ok("podman-fix") == ""
    assert podman.ok("podman-fix", "--remove") == f"removed {drop_in(podman)}\n"
    assert not drop_in(podman).exists()
    assert podman.run("podman", "push", "localhost:5000/alpine:latest").returncode != 0


def test_it_asks_the_program_whether_the_entry_counts(podman: Bed) -> None:
    podman.up()
    found = json.loads(podman.ok("podman-fix", "--json"))
    assert found["in_force"] == {"localhost:5000": True, "127.0.0.1:5000": True}


def test_a_later_file_that_forbids_it_is_named(podman: Bed) -> None:
    podman.up()
    later = drop_in(podman).with_name("60-company.conf")
    podman.run("mkdir", "-p", str(later.parent))
    later.write_text('[[registry]]\nlocation = "localhost:5000"\ninsecure = false\n')
    try:
        warning, error, done, hint = podman.refused(7, "podman-fix").splitlines()
    finally:
        later.unlink()
    assert re.match(f"warning: .*`{re.escape(str(later))}`", warning)
    assert "localhost:5000" in error
    assert "127.0.0.1" not in error
    assert (done, str(later) in hint) == (f"  wrote {drop_in(podman)}", True)
    assert podman.ok("podman-fix", "--json")


@fault("podman-drop-in-invalid", "podman-fix", code="config", facts=["`{file}`", "line 1", "Error: "], kept=None)
def test_a_file_that_podman_cannot_read_is_named_and_left_alone(podman: Bed, shown: Fault) -> None:
    podman.up()
    broken = drop_in(podman).with_name("10-broken.conf")
    podman.run("mkdir", "-p", str(broken.parent))
    broken.write_text("[[registry]\n")
    try:
        shown.by(podman, file=broken)
        assert broken.read_text() == "[[registry]\n"
    finally:
        broken.unlink()
    assert not drop_in(podman).exists()


def test_up_does_both(podman: Bed, folder: Path) -> None:
    podman.add_image("localhost:5000/alpine:latest", folder)
    found = json.loads(podman.ok("up", "--podman-fix", "--json"))
    assert (found["action"], found["podman_fix"]["path"]) == ("created", str(drop_in(podman)))
    assert podman.ok("up", "--podman-fix") == "localhost:5000\n"
    podman.engine_ok("push", "localhost:5000/alpine:latest")


def test_the_entry_moves_with_the_port_and_another_registrys_stays(podman: Bed) -> None:
    podman.up()
    podman.ok("podman-fix")
    podman.ok("--name", "other", "podman-fix", "--location", "localhost:5050")
    podman.ok("up", "--recreate", "--port", "5060")
    podman.ok("podman-fix")
    text = drop_in(podman).read_text()
    assert "localhost:5060" in text
    assert "localhost:5050" in text
    assert "localhost:5000" not in text


def test_a_dry_run_shows_the_change_and_writes_nothing(podman: Bed) -> None:
    podman.up()
    assert '+location = "localhost:5000"' in podman.ok("podman-fix", "--dry-run")
    assert not drop_in(podman).exists()


@on_each_podman
def test_the_systems_folder_is_not_a_users_to_write(podman: Bed) -> None:
    if podman.uid:
        error = podman.refused(7, "podman-fix", "--scope", "system")
        assert 'hint: sudo "$(command -v localreg)" podman-fix --location localhost:5000' in error
    else:
        assert podman.ok("podman-fix", "--scope", "user", "--location", "localhost:5000").startswith("wrote /mnt/root")
