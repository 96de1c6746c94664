"""`copy` from the registry of a real engine to one that wants the engine's login."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.engines.real import Bed
from support.registries.distribution import serving

HTPASSWD = "dev:$2a$04$ZrDStsEYSToNEOrgv.aqw.gWrp55jJkpxqVEMF4K/kexlNxuSrjdK\n"
"""What `htpasswd -B` makes of the user `dev` and the password below."""
PASSWORD = "open-sesame"


@pytest.mark.parametrize("bed", ["docker", "podman-rootless"], indirect=True)
def test_the_login_that_the_engine_stored_is_used(
    bed: Bed, folder: Path, registry_program: Path, tmp_path: Path
) -> None:
    (tmp_path / "htpasswd").write_text(HTPASSWD)
    bed.add_image("localhost/app:1", folder)
    bed.up()
    bed.push("localhost/app:1")
    auth = f"auth: {{htpasswd: {{realm: a registry, path: {tmp_path}/htpasswd}}}}\n"
    with serving(registry_program, tmp_path / "far", more=auth) as far:
        assert f"{bed.program} login {far.location}" in bed.refused(6, "copy", "app:1", f"{far.location}/team/")
        # Podman can also log in to a part of a registry.
        insecure, where = (
            ([], far.location) if bed.program == "docker" else (["--tls-verify=false"], f"{far.location}/team")
        )
        login = bed.run(bed.program, "login", *insecure, "-u", "dev", "-p", PASSWORD, where)
        assert login.returncode == 0, login.stderr
        copied = bed.ok("copy", "app:1", f"{far.location}/team/")
        assert copied.startswith(f"{far.location}/team/app:1\tsha256:")
        assert copied.endswith("\tnew\n")
        digest = copied.split("\t")[1]
        # Back under another name: what the engine's own registry has is not sent again.
        assert bed.ok("copy", f"{far.location}/team/app@{digest}", "back/app:2").endswith(f"\t{digest}\tnew\n")
        assert bed.ok("pull", "back/app:2").endswith(f"@{digest}\n")
        assert bed.run(bed.program, "logout", where).returncode == 0
        assert "requires a login" in bed.refused(6, "copy", f"{far.location}/team/app:1", "x/y:1")
