"""Whether the stored logins work, and the programs that keep them are there."""

from __future__ import annotations

from collections.abc import Iterator

from localreg.doctor.finding import Finding
from localreg.doctor.scene import Scene
from localreg.oci.credentials import CredentialStores
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
    if (error := scene.login_error) is None:
        return
    login = stores.find(scene.location)
    cures = [CommandLine("login")]
    if login is not None and login.user and scene.registry.is_ours:
        cures.append(CommandLine("auth", "add", login.user))
    yield Finding(
        f"the registry at {scene.location} wants a login, and "
        + ("none is stored for it" if login is None else "does not accept the stored one"),
        "every push and pull fails",
        tuple(cures),
        details=(*error.details, *stores.problems),
    )
