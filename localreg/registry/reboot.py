"""Whether the registry is there again after a reboot."""

from __future__ import annotations

from pathlib import Path

from localreg.engines.values import EngineInfo


def reboot_command(info: EngineInfo) -> str | None:
    """The command that makes an engine start the registry after a reboot; None if it does that by itself."""
    if info.restarts_containers or info.remote or not Path("/run/systemd/system").is_dir():
        return None
    return f"systemctl {'--user ' if info.rootless else ''}enable podman-restart.service"
