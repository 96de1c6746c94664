"""The clock of a registry's machine."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from localreg.oci.api import REQUEST_SECONDS
from localreg.oci.transport import Transport


def read_clock(base_url: str) -> datetime | None:
    """The time by the clock of a registry's machine.

    Args:
        base_url: `http://host:port`.

    Returns:
        Aware, in whole seconds; None if the registry does not tell.

    Raises:
        RegistryError: it does not answer as a registry.
    """
    transport = Transport(base_url, timeout=REQUEST_SECONDS, connections=1)
    try:
        said = transport.request("GET", "/v2/", "its version").headers.get("Date")
        return parsedate_to_datetime(said).astimezone(UTC) if said else None
    except ValueError:
        return None
    finally:
        transport.close()
