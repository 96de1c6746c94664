"""Which files Podman reads: the rules of 4.3.1 were seen with it, those of 5.8.6 and 6.1.1 with these."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localreg.clients.podman.registries_conf import find_left_entry, read_entries
from localreg.clients.podman.search import drop_in, list_files, user_folder
from localreg.errors import ConfigError


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    return tmp_path / "etc"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    return tmp_path / "home/.config/containers"


@pytest.fixture
def environ(tmp_path: Path, etc: Path, user: Path) -> dict[str, str]:
    for folder in (etc, user):
        (folder / "registries.conf.d").mkdir(parents=True)
        for name in ("60-late.conf", "10-early.conf", ".5-hidden.conf", "70-not-a-drop-in.toml"):
            (folder / "registries.conf.d" / name).touch()
        (folder / "registries.conf.d/80-folder.conf").mkdir()
    return {"HOME": str(tmp_path / "home")}


def drop_ins(folder: Path) -> list[Path]:
    return [folder / "registries.conf.d" / name for name in (".5-hidden.conf", "10-early.conf", "60-late.conf")]


def test_the_systems_drop_ins_come_first_and_then_the_users(environ: dict[str, str], etc: Path, user: Path) -> None:
    assert list_files(environ, etc=etc) == [*drop_ins(etc), *drop_ins(user)]
    (etc / "registries.conf").touch()
    assert list_files(environ, etc=etc)[0] == etc / "registries.conf"


def test_a_users_own_main_file_hides_the_systems_files(environ: dict[str, str], etc: Path, user: Path) -> None:
    (etc / "registries.conf").touch()
    (user / "registries.conf").touch()
    assert list_files(environ, etc=etc) == [user / "registries.conf", *drop_ins(user)]


@pytest.mark.parametrize("variable", ["CONTAINERS_REGISTRIES_CONF", "REGISTRIES_CONFIG_PATH"])
def test_a_named_main_file_replaces_both_and_hides_nothing(
    environ: dict[str, str], etc: Path, user: Path, variable: str
) -> None:
    (user / "registries.conf").touch()
    environ[variable] = "/named.conf"
    assert list_files(environ, etc=etc) == [Path("/named.conf"), *drop_ins(etc), *drop_ins(user)]


def test_xdg_config_home_does_not_count(environ: dict[str, str], etc: Path, tmp_path: Path) -> None:
    environ["XDG_CONFIG_HOME"] = str(tmp_path / "elsewhere")
    assert list_files(environ, etc=etc)[-1] == tmp_path / "home/.config/containers/registries.conf.d/60-late.conf"


def test_a_planned_file_is_listed_where_podman_will_read_it(environ: dict[str, str], etc: Path, user: Path) -> None:
    planned = etc / "registries.conf.d/50-localreg-system.conf"
    assert list_files(environ, etc=etc, planned=planned)[:4] == [*drop_ins(etc)[:2], planned, drop_ins(etc)[2]]
    (user / "registries.conf").touch()
    assert planned not in list_files(environ, etc=etc, planned=planned)


def test_a_link_that_leads_nowhere_breaks_podman_4_and_is_named(environ: dict[str, str], etc: Path, user: Path) -> None:
    dangling = user / "registries.conf.d/99-gone.conf"
    dangling.symlink_to("/nowhere/at/all")
    assert list_files(environ, etc=etc, release=4)[-1] == dangling
    assert dangling not in list_files(environ, etc=etc, release=5)
    assert dangling not in list_files(environ, etc=etc, release=6)
    with pytest.raises(ConfigError, match=r"99-gone\.conf"):
        read_entries(dangling)


@pytest.fixture
def usr(tmp_path: Path) -> Path:
    folder = tmp_path / "usr"
    (folder / "registries.conf.d").mkdir(parents=True)
    return folder


def names(environ: dict[str, str], etc: Path, usr: Path, *, planned: Path | None = None) -> list[str]:
    """What Podman 6 reads, each as its folder and its name."""
    found = list_files(environ, release=6, etc=etc, usr=usr, planned=planned)
    return [
        f"{'etc' if path.is_relative_to(etc) else 'usr' if path.is_relative_to(usr) else 'user'} {path.name}"
        for path in found
    ]


def put(folder: Path, *files: str) -> None:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


def test_podman_6_sorts_by_name_over_all_folders(bare: dict[str, str], etc: Path, user: Path, usr: Path) -> None:
    put(etc, "registries.conf.d/90-b.conf", "registries.conf.d/10-a.conf")
    put(user, "registries.conf.d/50-c.conf")
    put(usr, "registries.conf.d/70-d.conf")
    assert names(bare, etc, usr) == ["etc 10-a.conf", "user 50-c.conf", "usr 70-d.conf", "etc 90-b.conf"]


def test_podman_6_reads_one_of_a_name(bare: dict[str, str], etc: Path, user: Path, usr: Path) -> None:
    for folder in (etc, user, usr):
        put(folder, "registries.conf.d/50-x.conf")
    put(etc, "registries.conf.d/60-y.conf")
    put(usr, "registries.conf.d/60-y.conf")
    assert names(bare, etc, usr) == ["user 50-x.conf", "etc 60-y.conf"]


def test_a_link_to_nothing_hides_a_file_of_podman_6(bare: dict[str, str], etc: Path, user: Path, usr: Path) -> None:
    put(etc, "registries.conf.d/50-x.conf")
    (user / "registries.conf.d").mkdir(parents=True)
    (user / "registries.conf.d/50-x.conf").symlink_to("/dev/null")
    assert names(bare, etc, usr) == ["user 50-x.conf"]


def test_podman_6_reads_drop_ins_whichever_main_file_counts(
    bare: dict[str, str], etc: Path, user: Path, usr: Path
) -> None:
    put(etc, "registries.conf", "registries.conf.d/10-a.conf")
    put(usr, "registries.conf")
    assert names(bare, etc, usr) == ["etc registries.conf", "etc 10-a.conf"]
    put(user, "registries.conf")
    assert names(bare, etc, usr) == ["user registries.conf", "etc 10-a.conf"]
    (user / "registries.conf").unlink()
    (etc / "registries.conf").unlink()
    assert names(bare, etc, usr) == ["usr registries.conf", "etc 10-a.conf"]


def test_podman_6_respects_xdg_config_home(bare: dict[str, str], etc: Path, usr: Path, tmp_path: Path) -> None:
    bare["XDG_CONFIG_HOME"] = str(tmp_path / "elsewhere")
    put(tmp_path / "elsewhere/containers", "registries.conf.d/50-x.conf")
    put(tmp_path / "home/.config/containers", "registries.conf.d/60-y.conf")
    assert names(bare, etc, usr) == ["user 50-x.conf"]
    assert user_folder(bare, release=6) == tmp_path / "elsewhere/containers"


@pytest.mark.parametrize(("uid", "read"), [(0, "rootful"), (1000, "rootless")])
def test_podman_6_has_folders_for_each_kind_of_user(
    *, bare: dict[str, str], etc: Path, user: Path, usr: Path, monkeypatch: pytest.MonkeyPatch, uid: int, read: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    for kind in ("rootful", "rootless"):
        put(etc, f"registries.{kind}.conf.d/{kind}.conf")
    put(etc, "registries.rootless.conf.d/1000/mine.conf", "registries.rootless.conf.d/1001/theirs.conf")
    put(user, f"registries.{read}.conf.d/user.conf")
    expected = ["etc mine.conf", "etc rootless.conf"] if uid else [f"etc {read}.conf"]
    assert names(bare, etc, usr) == expected


def test_a_named_file_is_the_only_one_of_podman_6(bare: dict[str, str], etc: Path, usr: Path) -> None:
    put(etc, "registries.conf", "registries.conf.d/10-a.conf")
    bare["REGISTRIES_CONFIG_PATH"] = "/old.conf"
    bare["CONTAINERS_REGISTRIES_CONF_OVERRIDE"] = "/last.conf"
    assert [name.split()[1] for name in names(bare, etc, usr)] == ["registries.conf", "10-a.conf", "last.conf"]
    bare["CONTAINERS_REGISTRIES_CONF"] = "/named.conf"
    planned = etc / "registries.conf.d/50-localreg-system.conf"
    found = list_files(bare, release=6, etc=etc, usr=usr, planned=planned)
    assert found == [Path("/named.conf"), Path("/last.conf")]


def test_before_podman_6_nothing_in_a_linked_folder_is_read(
    bare: dict[str, str], etc: Path, user: Path, usr: Path, tmp_path: Path
) -> None:
    put(tmp_path / "dotfiles", "50-x.conf")
    user.mkdir(parents=True)
    (user / "registries.conf.d").symlink_to(tmp_path / "dotfiles")
    assert list_files(bare, release=5, etc=etc) == []
    assert names(bare, etc, usr) == ["user 50-x.conf"]


def test_localregs_two_files_do_not_hide_each_other(bare: dict[str, str], etc: Path, user: Path, usr: Path) -> None:
    both = [drop_in(user), drop_in(etc, is_system=True)]
    for path in both:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('[[registry]]\nlocation = "localhost:5000" # localreg: mine\ninsecure = true\n')
    assert sorted(list_files(bare, release=6, etc=etc, usr=usr)) == sorted(both)
    assert find_left_entry("mine", bare, etc=etc) == both[0]
    both[0].unlink()
    assert find_left_entry("mine", bare, etc=etc) == both[1]
    assert find_left_entry("min", bare, etc=etc) is None
