"""Files in containers."""

from __future__ import annotations

import io
import tarfile

from localreg.engines.common.files import upload_of
from localreg.engines.files import ContainerFile


def test_nothing_follows_the_end_of_an_archive() -> None:
    """Podman fails now and then if anything does."""
    upload = upload_of({}, "/etc/tls", {"a": ContainerFile(b"1", 0o600), "b": ContainerFile(b"22", 0o644)})
    with tarfile.open(fileobj=io.BytesIO(upload.archive)) as archive:
        assert [(entry.name, entry.size) for entry in archive] == [("etc/tls/a", 1), ("etc/tls/b", 2)]
    header_and_content, end = 2 * tarfile.BLOCKSIZE, 2 * tarfile.BLOCKSIZE
    assert len(upload.archive) == 2 * header_and_content + end
