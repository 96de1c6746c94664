"""The machine of an engine behind ssh, as others reach it."""

from __future__ import annotations

from dataclasses import replace

from localreg.engines.values import Endpoint
from localreg.system.ssh import SshAddress, read_configuration


def locate(endpoint: Endpoint) -> Endpoint:
    """Add the name on the network that `ssh_config` gives the machine, at which others reach its ports.

    Raises:
        ValueError: the URL is invalid, or has a password.
    """
    found = read_configuration(*SshAddress.parse(endpoint.url).arguments)
    return endpoint if found is None else replace(endpoint, host=found.get("hostname"))
