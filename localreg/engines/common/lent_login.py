"""A login for one run of a builder, in a copy of the files from which its program takes logins.

The programs take a login in no other way that keeps it from the list of processes. Everything that their users are
logged in to is in the copy as well, as it takes the place of their files.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from localreg.oci.access import Credentials

_LOGINS, _HELPERS, _STORE = "auths", "credHelpers", "credsStore"


def merged_logins(files: Iterable[Path]) -> dict[str, Any]:
    """The logins and the helpers of several files; of two for one registry, those of the first file.

    Args:
        files: Each in the format of containers-auth.json(5); it may not exist.
    """
    found = [read_configuration(file) for file in files]
    return {
        key: {place: value for each in reversed(found) for place, value in _table(each.get(key)).items()}
        for key in (_LOGINS, _HELPERS)
    }


def read_configuration(file: Path) -> dict[str, Any]:
    """The content of Docker's `config.json`; empty if it cannot be read, as for `docker`, which says so."""
    try:
        return dict(_table(json.loads(file.read_bytes())))
    except (OSError, ValueError, RecursionError):
        return {}


def write_with_login(file: Path, content: Mapping[str, Any], location: str, login: Credentials) -> None:
    """Write a file with one login more.

    Args:
        file: In a private folder.
        content: The rest of it.
        location: The registry's part of a reference.
        login: To that registry.
    """
    kind = "identitytoken" if login.is_token else "auth"
    secret = login.secret if login.is_token else base64.b64encode(f"{login.user}:{login.secret}".encode()).decode()
    helpers = {place: helper for place, helper in _table(content.get(_HELPERS)).items() if place != location}
    if _STORE in content:
        # Docker would ask that helper for each registry that has no other; without a name, the file counts.
        helpers[location] = ""
    logins = {**_table(content.get(_LOGINS)), location: {kind: secret}}
    file.touch(mode=0o600)
    file.write_text(json.dumps({**content, _LOGINS: logins, _HELPERS: helpers}))


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
