"""A login to a registry, as both engines take it with a push or a pull."""

from __future__ import annotations

import base64
import json

from localreg.oci.access import Credentials


def for_engine(login: Credentials) -> dict[str, str]:
    """The login as an object of the engines' APIs."""
    if login.is_token:
        return {"username": login.user, "identitytoken": login.secret}
    return {"username": login.user, "password": login.secret}


def header_of(login: Credentials) -> dict[str, str]:
    """The header that carries it."""
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(for_engine(login)).encode()).decode()}
