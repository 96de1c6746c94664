"""Docker: its daemon pulls and pushes, and reads files on its own machine."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from localreg.clients.certs_d import Wanted, ca_file, is_ours, plan_files, read_text
from localreg.clients.changes import make_changes
from localreg.clients.docker.daemon_json import Recorded, file_of, find_recorded, is_set, list_owned, plan_entries
from localreg.clients.docker.process import Daemon, find_daemon
from localreg.clients.docker.pull import try_pull
from localreg.clients.file_change import FileChange, may_read
from localreg.clients.port import Machine, Obstacle, Plan, Target
from localreg.engines.plain_http import LOOPBACK, PlainHttp, entries_for
from localreg.errors import ConfigError, EngineError, EngineUnavailableError, reason_of
from localreg.system.command_line import Sentence
from localreg.system.waiting import wait_until

_HOSTS_FILE = "hosts.toml"
_RELOAD_SECONDS = 5.0
_FLAG = "insecure-registry"


class Docker:
    """Docker, by way of its daemon."""

    name = "docker"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def is_here(self) -> bool:
        """Whether the machine has a daemon, or the program that speaks to one."""
        path = self._machine.environ.get("PATH", os.defpath)
        places = (self._machine.etc / "docker", self._machine.root / "var/run/docker.sock")
        return any(shutil.which(program, path=path) for program in ("docker", "dockerd")) or any(
            place.exists() for place in places
        )

    def plan(self, target: Target) -> Plan:
        """Plan nothing for a registry that Docker trusts as it is; else one file, or entries of daemon.json."""
        if not target.locations:
            changes = [self._changes(target.name, folder) for folder in self._folders()]
            return Plan(self.name, target, changes=tuple(change for each in changes for change in each))
        rules = self._rules()
        needed = [place for place in target.locations if self._needs(rules, target, place)]
        plan = Plan(
            self.name,
            target,
            provided={place: _why(rules, place) for place in target.locations if place not in needed},
        )
        if rules.folder is None or (not needed and self._is_closed(rules.folder)):
            return replace(plan, obstacles=tuple(_there(rules, target, place) for place in needed))
        if target.ca is not None or rules.containerd_store:
            return self._with_files(plan, rules, rules.folder, needed)
        return self._with_entries(plan, rules.folder, needed)

    def apply(self, plan: Plan) -> None:
        """Make the changes; a running daemon reads daemon.json again, without a restart."""
        for change in plan.changes:
            # Each step needs that Docker knows of the one before, also of one whose run was killed.
            self._have_read(file_of(change.path) or change.path)
            make_changes(replace(plan, changes=(change,)))
        for path in plan.files:
            self._have_read(path)

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None] | None:
        """Have the daemon ask for an image that does not exist; its rules tell about a registry that does not run."""
        if self._machine.open_docker is None:
            return None
        found: dict[str, str | None] = {}
        with contextlib.suppress(EngineUnavailableError), self._machine.open_docker() as engine:
            rules = engine.info().plain_http or PlainHttp()
            for place in locations:
                answer = try_pull(engine, place)
                uses = None if ca is not None else rules.uses(place)
                if answer.is_known:
                    found[place] = answer.obstacle
                elif uses is not None:
                    found[place] = None if uses else f"uses HTTPS for {place}, which speaks plain HTTP"
        return found or None

    def _rules(self) -> PlainHttp:
        """Docker's rules, as they are now.

        Raises:
            EngineUnavailableError: Docker does not answer.
        """
        if self._machine.open_docker is None:
            return PlainHttp()
        with self._machine.open_docker() as engine:
            return engine.info().plain_http or PlainHttp()

    def _needs(self, rules: PlainHttp, target: Target, place: str) -> bool:
        """Whether Docker can use a registry only because of what localreg writes."""
        if not rules.uses(place):
            return True
        if rules.folder is None or self._is_closed(rules.folder):
            return False
        owned = list_owned(self._daemon_json(rules.folder), target.name)
        return not set(entries_for(place)).isdisjoint(owned)

    def _is_closed(self, folder: Path) -> bool:
        """Whether this user cannot see what localreg wrote, which root did then, for all users."""
        return not (may_read(self._daemon_json(folder)) and may_read(folder / "certs.d"))

    def _with_files(self, plan: Plan, rules: PlainHttp, folder: Path, needed: Sequence[str]) -> Plan:
        """The plan with a file in `certs.d` for each registry, which Docker reads for each request."""
        target = plan.target
        wanted, provided, obstacles = [], dict(plan.provided), []
        for place in needed:
            hosts = folder / "certs.d" / place / _HOSTS_FILE
            data = (read_text(hosts) or b"") if rules.containerd_store else b""
            is_others = bool(data) and not is_ours(data)
            if target.ca is None and is_others and f"http://{place}".encode() in data:
                provided[place] = str(hosts)
            elif is_others:
                line = f'server = "http://{place}"' if target.ca is None else f'ca = "{target.ca_file}"'
                obstacles.append(Obstacle(f"finds {place} by `{hosts}`", Sentence(f"add `{line}` to {hosts}")))
            elif target.ca is None:
                wanted.append(Wanted(hosts, f'server = "http://{place}"\n'))
            else:
                wanted.append(Wanted(hosts.with_name(ca_file(self.name)), target.ca))
        changes = self._changes(target.name, folder, files=wanted)
        files = tuple(each.path for each in wanted)
        return replace(plan, changes=tuple(changes), files=files, provided=provided, obstacles=tuple(obstacles))

    def _with_entries(self, plan: Plan, folder: Path, needed: Sequence[str]) -> Plan:
        """The plan with entries of `insecure-registries`, which a running Docker reads when it is told to."""
        path = self._daemon_json(folder)
        # An entry that stands alone takes plain HTTP on loopback away from Docker 29.10 on; a list of others has
        # done that already.
        alone = set(LOOPBACK) if is_set(path) else set()
        entries = dict.fromkeys(
            entry
            for place in needed
            for entry in entries_for(place)
            if entry == place or _is_loopback(place) or not alone
        )
        daemon = self._find_daemon(path)
        if entries and daemon is not None and daemon.option(_FLAG) is not None:
            flags = " ".join(f"--{_FLAG} {entry}" for entry in entries)
            cure = Sentence(f"add `{flags}` to the command line of dockerd, then restart Docker")
            # Docker does not start with a list in both places.
            return replace(plan, obstacles=(Obstacle(f"has --{_FLAG} on its command line", cure),))
        changes = self._changes(plan.target.name, folder, entries=list(entries))
        cures = (_reload_command(path),) if changes and daemon is None else ()
        return replace(plan, changes=tuple(changes), files=(path,) if entries else (), cures=cures)

    def _changes(
        self, name: str, folder: Path, *, files: Sequence[Wanted] = (), entries: Sequence[str] = ()
    ) -> list[FileChange]:
        """All changes in a folder of Docker's configuration, after which localreg has only these files and entries."""
        changed = plan_files(self.name, name, [folder / "certs.d"], files)
        return [*changed, *plan_entries(self._daemon_json(folder), name, entries)]

    def _folders(self) -> list[Path]:
        """Each folder in which a Docker of this machine may have its configuration."""
        home = self._machine.home
        base = self._machine.environ.get("XDG_CONFIG_HOME") or (home and home / ".config")
        return [self._machine.etc / "docker", *([Path(base) / "docker"] if base else [])]

    def _daemon_json(self, folder: Path) -> Path:
        """The daemon.json of the Docker with this folder, which its command line may name."""
        usual = folder / "daemon.json"
        daemon = self._find_daemon(usual)
        named = daemon and daemon.option("config-file")
        return Path(named) if named else usual

    def _find_daemon(self, path: Path) -> Daemon | None:
        """The process that reads a daemon.json."""
        return find_daemon(self._machine, rootless=not path.is_relative_to(self._machine.etc))

    def _have_read(self, path: Path) -> None:
        """Have a running Docker read its daemon.json, unless it knows of localreg's entries, and wait until it does."""
        recorded = find_recorded(path) if path.suffix == ".json" else None
        daemon = self._find_daemon(path)
        if daemon is None or recorded is None:
            return
        # Docker may have stopped meanwhile; then it reads the file when it starts.
        with contextlib.suppress(EngineError, EngineUnavailableError):
            rules = self._rules()
            if rules.networks is not None and _has_read(rules, recorded):
                return
            try:
                daemon.reload()
            except OSError as exc:
                raise ConfigError(
                    f"cannot have Docker read `{path}` again: {reason_of(exc)}", hint=_reload_command(path)
                ) from exc
            if rules.networks is not None:
                wait_until(lambda: _has_read(self._rules(), recorded), seconds=_RELOAD_SECONDS)


def find_left_file(name: str, machine: Machine) -> Path | None:
    """A file of Docker's with what localreg added for a registry; None without one. Asks no engine."""
    with contextlib.suppress(ConfigError):
        changes = Docker(machine).plan(Target(name, ())).changes
        return next((change.path for change in changes if not change.path.name.startswith(".")), None)
    return None


def _has_read(rules: PlainHttp, recorded: Recorded) -> bool:
    """Whether Docker knows of localreg's entries, as far as it tells."""
    read = {*map(str, rules.networks or ()), *(place for place, secure in rules.secure.items() if not secure)}
    return recorded.there <= read and read.isdisjoint(recorded.gone)


def _is_loopback(place: str) -> bool:
    return place not in entries_for(place)


def _why(rules: PlainHttp, place: str) -> str:
    """Why Docker uses plain HTTP without a change."""
    return "loopback" if _is_loopback(place) and place not in rules.secure else "insecure-registries"


def _there(rules: PlainHttp, target: Target, place: str) -> Obstacle:
    """The obstacle of a Docker whose files localreg cannot write."""
    what = f"reads its configuration in another place ({rules.place})"
    if target.ca is None:
        return Obstacle(what, rules.cure_there(place))
    folder = "~/.docker/certs.d" if rules.place == "desktop" else "/etc/docker/certs.d"
    where = "" if rules.place == "desktop" else " there"
    return Obstacle(what, Sentence(f"copy {target.ca_file} to {folder}/{place}/ca.crt{where}"))


def _reload_command(path: Path) -> str:
    if "etc" not in path.parts:
        return "systemctl --user reload docker"
    return (
        "sudo systemctl reload docker" if Path("/run/systemd/system").is_dir() else 'sudo kill -HUP "$(pidof dockerd)"'
    )
