"""The names of images in a layout: annotations of the entries in its `index.json`.

Programs disagree about them. skopeo, oras and umoci go by `ref.name`, which may be a tag alone or have slashes; Docker,
containerd and Podman by `io.containerd.image.name`, which must begin with a host: without one, Docker loads an image
that none of its commands reaches.
"""

from __future__ import annotations

from collections.abc import Mapping

from localreg.oci.manifest import Descriptor
from localreg.oci.reference import Reference, find_reference, registry_reference
from localreg.places.port import Named

REF_NAME = "org.opencontainers.image.ref.name"
CREATED = "org.opencontainers.image.created"
_FULL_NAME = "io.containerd.image.name"
_HAULER_KIND = "kind"
_HAULER = ("dev.hauler/", "dev.cosignproject.cosign/")
_FOLLOWERS = {"sigs": ".sig", "atts": ".att", "sboms": ".sbom", "referrers": ""}


def annotations_of(name: Named, *, location: str) -> dict[str, str]:
    """The annotations that name an image.

    Args:
        name: Its name.
        location: The registry's part of a full name, such as `localhost:5000`.
    """
    return {_FULL_NAME: f"{location}/{name}", REF_NAME: str(name)}


def name_in(annotations: Mapping[str, str]) -> Reference | None:
    """The repository and the tag that annotations name; None if they name no repository."""
    for text in (annotations.get(_FULL_NAME, ""), annotations.get(REF_NAME, "")):
        found = find_reference(text)
        if found is not None and (found.registry or found.tag or found.digest or "/" in text):
            return registry_reference(found, registry="")
    return None


def tag_in(entry: Descriptor) -> str | None:
    """The tag, if that is all that an entry has of a name."""
    found = find_reference(f"x:{entry.annotations.get(REF_NAME, '')}")
    return None if found is None or found.digest else found.tag


def follower_of(annotations: Mapping[str, str]) -> str | None:
    """How a tag of cosign's ends, if this is what hauler stores of an image under the image's own name.

    Returns:
        Nothing for a referrer, which needs no tag; None for an image itself.
    """
    kind = annotations.get(_HAULER_KIND, "")
    prefix = next((prefix for prefix in _HAULER if kind.startswith(prefix)), None)
    return None if prefix is None else _FOLLOWERS.get(kind.removeprefix(prefix).partition("/")[0])
