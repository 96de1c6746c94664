"""Docker contexts, resolved as the `docker` program does.

The Docker SDK silently falls back to the default socket if a context does not exist, so localreg resolves it: the
name is `DOCKER_CONTEXT`, otherwise `currentContext` in `config.json`. The endpoint is in
`contexts/meta/<sha256 of the name>/`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from localreg.engines.values import Endpoint, TlsFiles
from localreg.errors import Unavailable

_CURE = "docker context ls"


class BrokenContextError(Exception):
    """The current context cannot be used; carries the reason as a failed probe."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.unavailable = Unavailable("docker", f"context `{name}`", reason, _CURE)


def docker_folder(environ: Mapping[str, str]) -> Path | None:
    """The folder of Docker's client configuration; None for a user without a home folder."""
    if configured := environ.get("DOCKER_CONFIG"):
        return Path(configured)
    home = environ.get("HOME")
    return Path(home) / ".docker" if home else None


def current_context(environ: Mapping[str, str]) -> str | None:
    """The name of the current context; None for the default one.

    Raises:
        BrokenContextError: Docker's `config.json` cannot be read.
    """
    name = environ.get("DOCKER_CONTEXT")
    folder = docker_folder(environ)
    if not name and folder is not None:
        config = folder / "config.json"
        try:
            name = _read_name(config.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError, AttributeError) as exc:
            raise BrokenContextError("default", f"cannot read `{config}`: {exc}") from exc
    return None if not name or name == "default" else name


def _read_name(data: bytes) -> str | None:
    """The current context in a `config.json`, which may be empty, `null` or not UTF-8, as for `docker`."""
    found = json.loads(data.decode(errors="replace") or "null")
    name = None if found is None else found.get("currentContext")
    if not isinstance(name, str | None):
        raise ValueError("currentContext is not a string")  # noqa: TRY004 -- a broken file, not a wrong call
    return name


def context_endpoint(name: str, environ: Mapping[str, str]) -> Endpoint:
    """The endpoint of a context.

    Raises:
        BrokenContextError: the context does not exist or has no Docker endpoint.
    """
    folder = docker_folder(environ)
    if folder is None:
        raise BrokenContextError(name, "cannot look it up: no home folder")
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / digest / "meta.json"
    try:
        docker = json.loads(meta.read_bytes())["Endpoints"]["docker"]
        url = str(docker["Host"])
    except FileNotFoundError as exc:
        raise BrokenContextError(name, "the context does not exist") from exc
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise BrokenContextError(name, f"`{meta}` has no Docker endpoint") from exc
    tls = _tls_files(folder / "contexts" / "tls" / digest / "docker", skip_verify=bool(docker.get("SkipTLSVerify")))
    return Endpoint(url, context=name, tls=tls)


def variable_endpoint(url: str, environ: Mapping[str, str]) -> Endpoint:
    """The endpoint in `DOCKER_HOST`, with TLS files if `DOCKER_TLS_VERIFY` is set."""
    tls = None
    if environ.get("DOCKER_TLS_VERIFY") and not url.startswith("unix://"):
        certificates = environ.get("DOCKER_CERT_PATH")
        folder = Path(certificates) if certificates else docker_folder(environ)
        # TLS is required even if it has no files.
        tls = (_tls_files(folder, skip_verify=False) if folder is not None else None) or TlsFiles()
    return Endpoint(url, tls=tls)


def _tls_files(folder: Path, *, skip_verify: bool) -> TlsFiles | None:
    files = {stem: folder / f"{stem}.pem" for stem in ("ca", "cert", "key")}
    present = {stem: path for stem, path in files.items() if path.exists()}
    if not present and not skip_verify:
        return None
    return TlsFiles(present.get("ca"), present.get("cert"), present.get("key"), skip_verify)
