"""Whether an image can be pulled again after a push; if not, the commands that repair the registry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from http import HTTPStatus

from localreg.engines.port import Engine
from localreg.errors import RegistryError, RepositoryNotFoundError
from localreg.images.transfer import Transfer
from localreg.oci.api import RegistryClient, StoredManifest
from localreg.oci.damage import find_damage
from localreg.oci.manifest import Descriptor, Manifest
from localreg.registry.client import open_registry
from localreg.registry.container import Registry
from localreg.registry.defaults import DEFAULT_NAME
from localreg.registry.volume_layout import ROOT
from localreg.system.command_line import CommandLine


def check_stored(engine: Engine, registry: Registry, transfer: Transfer, *, said: str | None) -> str | None:
    """Check that the registry has the whole image that was pushed.

    Args:
        engine: The registry's engine, for the commands.
        registry: The registry.
        transfer: The image.
        said: The digest that the engine reported, if it did.

    Returns:
        The digest of the manifest in the registry; what was `said` if localreg cannot ask.

    Raises:
        RegistryError: something of it is broken in the registry.
    """
    if registry.url is None:
        return said
    reference = transfer.reference
    with open_registry(registry, connections=1) as client:
        try:
            stored = client.get_manifest(reference.repository, str(reference.tag))
        except RegistryError as exc:
            if exc.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                return said
            if exc.status == HTTPStatus.INTERNAL_SERVER_ERROR:
                raise _broken(engine, registry, transfer, ["its manifest cannot be read"], [said]) from exc
            raise
        blobs = {blob.digest: blob for blob in _blobs(client, reference.repository, stored)}
        damaged = {
            digest: damage
            for digest, blob in blobs.items()
            if (damage := find_damage(client, reference.repository, blob))
        }
    if damaged:
        found = [f"{digest} {damage}" for digest, damage in damaged.items()]
        raise _broken(engine, registry, transfer, found, list(damaged))
    return stored.digest


def _blobs(client: RegistryClient, repository: str, stored: StoredManifest) -> Iterator[Descriptor]:
    """The config and the layers of an image, or of all images of an index."""
    parsed = stored.content
    if isinstance(parsed, Manifest):
        yield from (blob for blob in (parsed.config, *parsed.layers) if not blob.is_foreign)
        return
    for child in parsed.manifests:
        if not child.is_manifest:
            # BuildKit writes its cache as an index of layers.
            yield child
            continue
        try:
            below = client.get_manifest(repository, child.digest)
        except RepositoryNotFoundError:
            # A registry tolerates a missing child.
            continue
        yield from _blobs(client, repository, below)


def _broken(
    engine: Engine, registry: Registry, transfer: Transfer, found: Sequence[str], digests: Sequence[str | None]
) -> RegistryError:
    """The error, with the commands: only without the file does the registry store the content again."""
    program, name = engine.info().name, registry.container.name
    root = f"{registry.root_directory}/{ROOT}/blobs"
    known = [digest for digest in digests if digest]
    files = " ".join(_file_of(root, digest) for digest in known)
    remove = f"rm {files}" if known else f"find {root} -name data -size 0 -exec rm {{}} +"
    push = CommandLine("push", transfer.source).for_registry(engine=None, name=None if name == DEFAULT_NAME else name)
    commands = [
        f"{program} exec {name} {remove}",
        # With a cache it would go on offering what is gone.
        *([] if registry.is_ours else [f"{program} restart {name}"]),
        push,
    ]
    return RegistryError(
        f"the registry accepted `{transfer.reference}`, but what it stored is broken",
        hint=" && ".join(commands),
        details=found,
    )


def _file_of(root: str, digest: str) -> str:
    algorithm, _, encoded = digest.partition(":")
    return f"{root}/{algorithm}/{encoded[:2]}/{encoded}/data"
