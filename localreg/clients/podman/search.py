"""Which files Podman reads for its registries, by its release.

Podman 4 and 5 read a main file, then the drop-ins folder by folder. Podman 6 reads the drop-ins of all folders by name;
of two with one name it reads only the one with the higher precedence. See containers-registries.conf(5) and
containers-config(5).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

ETC = Path("/etc/containers")
USR = Path("/usr/share/containers")

OLD, NEW = 5, 6
"""The last release before the search changed, and the first after. Without a program, the old rules apply."""
_FOLDER = "registries.conf.d"
_MAIN = "registries.conf"
_SKIPS_BROKEN_LINKS = 5


def user_folder(environ: Mapping[str, str], *, release: int = OLD) -> Path | None:
    """The user's own configuration folder; None without a home. Podman before 6 ignores XDG_CONFIG_HOME for it."""
    xdg = environ.get("XDG_CONFIG_HOME") if release >= NEW else None
    home = environ.get("HOME")
    base = Path(xdg) if xdg else Path(home, ".config") if home else None
    return None if base is None else base / "containers"


def drop_in(folder: Path, *, is_system: bool = False) -> Path:
    """The path of localreg's file in a folder of Podman's configuration.

    The two names differ, because Podman 6 reads only the user's of two files with one name.
    """
    return folder / _FOLDER / f"50-localreg{'-system' if is_system else ''}.conf"


def list_files(
    environ: Mapping[str, str],
    *,
    release: int = OLD,
    etc: Path = ETC,
    usr: Path = USR,
    planned: Path | None = None,
) -> list[Path]:
    """All files that Podman reads, in its order: the last of several entries with the same prefix counts.

    Args:
        environ: The environment.
        release: The first number of Podman's version.
        etc: The system's configuration folder.
        usr: The distribution's configuration folder, which Podman reads since 6.
        planned: A drop-in that is about to be written; it is in the result only if Podman will read it.
    """
    user = user_folder(environ, release=release)
    if release >= NEW:
        return _list_by_name(environ, user, [etc, usr], planned)
    named = environ.get("CONTAINERS_REGISTRIES_CONF") or environ.get("REGISTRIES_CONFIG_PATH")
    if named:
        main, folders = [Path(named)], [etc, user]
    elif user and _is_there(user / _MAIN):
        main, folders = [user / _MAIN], [user]
    else:
        main, folders = [path for path in (etc / _MAIN,) if _is_there(path)], [etc, user]
    found = (_drop_ins(folder / _FOLDER, release, planned) for folder in folders if folder)
    return [*main, *(path for paths in found for path in sorted(paths))]


def _list_by_name(
    environ: Mapping[str, str], user: Path | None, system: list[Path], planned: Path | None
) -> list[Path]:
    """The files of Podman 6.

    Args:
        environ: The environment.
        user: The user's own configuration folder, which has the highest precedence.
        system: The other configuration folders, the one with the higher precedence first.
        planned: A drop-in that is about to be written.
    """
    folders = [*([user] if user else []), *system]
    override = environ.get("CONTAINERS_REGISTRIES_CONF_OVERRIDE")
    last = [Path(override)] if override else []
    if named := environ.get("CONTAINERS_REGISTRIES_CONF"):
        return [Path(named), *last]
    main = next((folder / _MAIN for folder in folders if _is_there(folder / _MAIN)), None)
    by_name: dict[str, Path] = {}
    for folder in folders:
        for place in _places(folder, is_system=folder is not user):
            for path in _drop_ins(place, NEW, planned):
                by_name.setdefault(path.name, path)
    return [*([main] if main else []), *(by_name[name] for name in sorted(by_name)), *last]


def _places(folder: Path, *, is_system: bool) -> Iterator[Path]:
    """The folders of drop-ins in a configuration folder; the more specific ones first."""
    uid = os.geteuid()
    if is_system and uid:
        yield folder / "registries.rootless.conf.d" / str(uid)
        yield folder / "registries.rootless.conf.d"
    elif is_system:
        yield folder / "registries.rootful.conf.d"
    yield folder / _FOLDER


def _drop_ins(place: Path, release: int, planned: Path | None) -> set[Path]:
    """The drop-ins in a folder. Podman 4 fails on a broken link; before 6 Podman reads nothing in a linked folder."""
    found: set[Path] = set()
    if release >= NEW or not place.is_symlink():
        found = {
            path
            for path in place.glob("*.conf")
            # A device counts: a link to /dev/null hides a file of the same name from Podman 6.
            if (not path.is_dir() if path.exists() else release < _SKIPS_BROKEN_LINKS)
        }
        if planned is not None and planned.parent == place:
            found.add(planned)
    return found


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True
