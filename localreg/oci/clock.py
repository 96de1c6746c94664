"""The clock of a registry's machine."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from localreg.oci.api import RegistryClient


def read_clock(client: RegistryClient) -> datetime | None:
    """The time by the clock of a registry's machine.

    Returns:
        Aware, in whole seconds; None if the registry does not tell.

    Raises:
        RegistryError: it does not answer as a registry.
    """
    said = client.transport.request("GET", "/v2/", "its version").headers.get("Date")
    try:
        return parsedate_to_datetime(said).astimezone(UTC) if said else None
    except ValueError:
        return None
