"""containerd: a `hosts.toml` for each location of the registry that it cannot use by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

from localreg.clients.changes import make_changes
from localreg.clients.containerd.check import ask_containerd
from localreg.clients.containerd.folder import FILE, find_need, is_ours, is_spare, plan_folder
from localreg.clients.containerd.search import find_program, find_search, user_folder
from localreg.clients.file_change import remove_spares
from localreg.clients.port import Machine, Plan, Target
from localreg.errors import EngineUnavailableError
from localreg.system.command_line import Sentence


class Containerd:
    """The client."""

    name = "containerd"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def is_here(self) -> bool:
        """Whether it is used directly: the containerd that Docker brings needs nothing for Docker."""
        certs = self._machine.etc / "containerd/certs.d"
        if user_folder(self._machine) is not None or (certs.is_dir() and any(certs.iterdir())):
            return True
        if any(find_program(self._machine, name) for name in ("nerdctl", "crictl", "kubelet")):
            return True
        return self._is_installed and find_program(self._machine, "dockerd") is None

    def plan(self, target: Target) -> Plan:
        """Plan a file for each location that containerd cannot use by itself.

        Raises:
            EngineUnavailableError: containerd is not installed.
        """
        if target.locations and not self._is_installed and not self.is_here():
            raise EngineUnavailableError(
                "containerd is not installed on this machine",
                hint=Sentence("install containerd (https://containerd.io)"),
            )
        search = find_search(self._machine)
        needs = [find_need(search, target, location) for location in target.locations]
        earlier = [folder for folder in search.list_folders() if is_ours(folder, target.name)]
        blocks = dict.fromkeys(earlier) | {need.folder: need.block for need in needs}
        is_hindered = bool(needs) and (search.is_down or any(blocks.values()))
        return Plan(
            self.name,
            target,
            changes=tuple(change for folder, block in blocks.items() for change in plan_folder(folder, target, block)),
            files=tuple(folder / FILE for folder, block in blocks.items() if block),
            provided={need.location: need.because for need in needs if need.because},
            obstacles=(
                *(need.obstacle for need in needs if need.obstacle),
                *([search.cri] if search.cri and is_hindered else []),
            ),
        )

    def apply(self, plan: Plan) -> None:
        """Make the changes; containerd reads its files at each pull."""
        make_changes(plan)
        if plan.changes or not plan.target.locations:
            for root in find_search(self._machine).roots:
                with contextlib.suppress(PermissionError):
                    remove_spares(root, is_spare)

    def check(self, locations: Sequence[str], *, ca: str | None = None) -> Mapping[str, str | None] | None:
        """Ask its CRI by `crictl`, or else `ctr`, to resolve an image that the registry does not have."""
        del ca
        return ask_containerd(self._machine, find_search(self._machine), locations)

    @property
    def _is_installed(self) -> bool:
        return any(find_program(self._machine, name) for name in ("containerd", "ctr"))
