"""Whether the stored logins work, and the programs that keep them are there."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.doctor.finding import Finding
from localreg.doctor.scene import Scene
from localreg.errors import RegistryError, RegistryUnreachableError
from localreg.oci.credentials import CredentialStores
from localreg.oci.ping import Reply
from localreg.system.command_line import CommandLine, Sentence


def check_credentials(scene: Scene) -> Iterator[Finding]:
    """Look for missing credential helpers; log in, if the registry wants a login."""
    stores = CredentialStores()
    for helper, file in stores.find_missing_helpers():
        yield Finding(
            f"the credential helper {helper} is not installed, and `{file}` names it",
            "the programs that read this file may fail at every push and pull, also without a login",
            (Sentence(f"install {helper}, or remove it from that file"),),
        )
    if scene.reply is not Reply.WANTS_LOGIN:
        return
    try:
        scene.client.transport.request("GET", "/v2/", "its version")
    except RegistryUnreachableError:
        raise
    except RegistryError as exc:
        has_none = stores.find(scene.location) is None
        yield Finding(
            f"the registry at {scene.location} wants a login, and "
            + ("none is stored for it" if has_none else f"rejects the stored one: {exc.message}"),
            "every push and pull fails",
            (CommandLine("login"),),
            details=(*exc.details, *stores.problems),
        )
