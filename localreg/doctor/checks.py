"""The table of all checks, in the order in which their findings are told: the slow ones last."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from localreg.doctor.certificate import check_certificate
from localreg.doctor.check import Check
from localreg.doctor.clock import check_clock
from localreg.doctor.config import check_config
from localreg.doctor.credentials import check_credentials
from localreg.doctor.engine import check_engine
from localreg.doctor.engine_view import check_engine_view
from localreg.doctor.leftovers import check_leftovers
from localreg.doctor.localhost import check_localhost
from localreg.doctor.port import check_port
from localreg.doctor.reach import check_reach
from localreg.doctor.registry import check_registry
from localreg.doctor.storage import check_disk, check_tags, check_uploads
from localreg.doctor.trust import check_trust
from localreg.doctor.tunnels import check_tunnels
from localreg.doctor.writable import check_writable
from localreg.errors import UsageError
from localreg.system.command_line import CommandLine

CHECKS = (
    Check("config", "localreg's settings are valid", check_config),
    Check("engine", "a container engine answers", check_engine),
    Check("registry", "the registry runs, answers, and starts again after a reboot", check_registry),
    Check("port", "the registry has its port, and not another program", check_port),
    Check("localhost", "`localhost` leads to the registry, over IPv4 and IPv6", check_localhost),
    Check("reach", "a registry on loopback answers on this machine only", check_reach),
    Check("certificate", "the registry's certificate is valid for a while", check_certificate),
    Check("credentials", "stored logins are accepted, and credential helpers are installed", check_credentials),
    Check("clock", "the engine's machine has the same time", check_clock),
    Check("tunnels", "the tunnels to the registry are open", check_tunnels),
    Check("leftovers", "no killed command left anything behind", check_leftovers),
    Check("disk", "the disk with the images has space", check_disk),
    Check("uploads", "no unfinished uploads take up space", check_uploads),
    Check("writable", "the registry takes an upload, and it is in the registry's volume", check_writable),
    Check("engine-view", "the engine reaches the registry by the name that references use", check_engine_view),
    Check("trust", "each client on this machine can use the registry", check_trust, is_slow=True),
    Check("tags", "each tag has its manifest, config and layers", check_tags, is_slow=True),
)


def choose_checks(names: Sequence[str]) -> list[Check]:
    """The checks of these names; all if there are none.

    Raises:
        UsageError: there is no such check.
    """
    by_name = {check.name: check for check in CHECKS}
    for name in names:
        if name not in by_name:
            near = difflib.get_close_matches(name, [*by_name, "explain"], n=1)
            raise UsageError(f"unknown check `{name}`", hint=CommandLine("doctor", *(near or ["--list"])))
    return [check for check in CHECKS if not names or check.name in names]
