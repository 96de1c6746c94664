"""The result of `inspect`; `output/inspect_screen.py` lays it out for a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from localreg.content.inspect import Inspected
from localreg.content.inspected import InspectedManifest, Layer
from localreg.content.referrers import Referrer
from localreg.errors import LocalregError
from localreg.oci.artifact import Artifact
from localreg.oci.config import HistoryEntry, ImageConfig
from localreg.oci.manifest import Descriptor
from localreg.output.inspect_screen import screen
from localreg.output.registry import time_json
from localreg.output.streams import Renderings, error_as_json
from localreg.output.text import printable


def render(
    results: Sequence[Inspected], errors: Sequence[tuple[str, LocalregError]] = (), *, location: str, command: str
) -> Renderings:
    """Lay out what a registry stores about manifests.

    Args:
        results: The manifests.
        errors: Each name that failed, and its error.
        location: The registry's part of a reference.
        command: The start of a command for this registry.
    """
    return Renderings(
        table=lambda width: "\n\n".join(screen(result, width, command=command) for result in results),
        plain=lambda: "\n".join("\t".join(map(printable, line)) for result in results for line in _plain(result)),
        quiet=lambda: "\n".join(result.found.by_digest for result in results),
        json=lambda: {
            "registry": location,
            "results": [_json(result) for result in results],
            "errors": [{"source": source, **error_as_json(error)} for source, error in errors],
        },
    )


def kind_of(result: Inspected) -> str:
    """The kind of a manifest: `image`, `index` for one of images, or a few words about an artifact."""
    if result.artifact is not None:
        return str(result.artifact)
    return "index" if result.is_index else "image"


def _plain(result: Inspected) -> Iterator[tuple[str, ...]]:
    """Lines of a name and values; several lines have the same name."""
    yield "reference", str(result.found.reference)
    yield "digest", result.found.stored.digest
    yield "kind", kind_of(result)
    yield "media_type", result.media_type
    facts = {
        "part_of": result.found.part_of,
        "subject": result.subject,
        "size": None if result.size is None else str(result.size),
        "created": time_json(result.created),
        "pushed": time_json(result.pushed),
    }
    yield from ((name, value) for name, value in facts.items() if value)
    yield from (("same_as", tag) for tag in result.same_as or ())
    for one in result.children:
        yield "manifest", one.digest, one.platform or "", _number(one.size), time_json(one.created) or ""
    yield from (("problem", problem) for one in result.manifests for problem in one.problems)
    if result.only is not None:
        yield from _plain_manifest(result.only)
    yield from (("annotation", *pair) for pair in result.annotations.items())
    for name, referrers in (("attestation", result.attestations), ("referrer", result.referrers)):
        yield from ((name, *_plain_referrer(referrer)) for referrer in referrers)


def _plain_manifest(one: InspectedManifest) -> Iterator[tuple[str, ...]]:
    if one.config_blob is not None:
        yield "config", one.config_blob.digest, _number(one.config_blob.size), one.config_blob.media_type
    if one.config is not None:
        yield from _plain_config(one.config)
    for layer in one.layers:
        yield (
            "layer",
            layer.blob.digest,
            str(layer.blob.size),
            layer.blob.media_type,
            ",".join(layer.shared_with or ()),
            layer.step.created_by if layer.step else layer.title,
        )


def _plain_config(config: ImageConfig) -> Iterator[tuple[str, ...]]:
    lists = {"entrypoint": config.entrypoint, "cmd": config.command}
    yield from ((name, json.dumps(words, ensure_ascii=False)) for name, words in lists.items() if words)
    texts = {"workdir": config.working_folder, "user": config.user, "stop_signal": config.stop_signal}
    yield from ((name, text) for name, text in texts.items() if text)
    several = {"env": config.environment, "port": config.ports, "volume": config.volumes}
    yield from ((name, value) for name, values in several.items() for value in values)
    yield from (("label", *pair) for pair in config.labels.items())
    for step in config.history:
        yield "history", time_json(step.created) or "", "empty" if step.is_empty else "layer", step.created_by


def _plain_referrer(referrer: Referrer) -> tuple[str, ...]:
    return (
        referrer.digest or "",
        referrer.error or str(referrer.artifact or "image"),
        _number(referrer.size),
        referrer.subject or "",
        referrer.tag or "",
        ",".join(referrer.predicates),
    )


def _number(count: int | None) -> str:
    return "" if count is None else str(count)


def _json(result: Inspected) -> dict[str, Any]:
    found = result.found
    return {
        "source": found.source,
        "reference": str(found.reference),
        "repository": found.repository,
        "tag": found.reference.tag,
        "digest": found.stored.digest,
        "part_of": found.part_of,
        "media_type": result.media_type,
        "kind": "index" if result.is_index and not result.artifact else _kind(result.artifact),
        "artifact_type": _type(result.artifact),
        "platforms": list(result.platforms),
        "size": result.size,
        "created": time_json(result.created),
        "pushed": time_json(result.pushed),
        "same_as": None if result.same_as is None else list(result.same_as),
        "sharing_error": result.not_looked_up,
        "subject": result.subject,
        "annotations": dict(result.annotations),
        "manifests": [_manifest_json(one) for one in result.manifests],
        "attestations": [_referrer_json(one) for one in result.attestations],
        "referrers": [_referrer_json(one) for one in result.referrers],
    }


def _manifest_json(one: InspectedManifest) -> dict[str, Any]:
    return {
        "digest": one.digest,
        "media_type": one.media_type,
        "kind": _kind(one.artifact),
        "platform": one.platform,
        "size": one.size,
        "created": time_json(one.created),
        "config": None if one.config_blob is None else {**_blob_json(one.config_blob), **_config_json(one.config)},
        "layers": [_layer_json(layer) for layer in one.layers],
        "history": [_step_json(step) for step in one.config.history] if one.config else [],
        "problems": list(one.problems),
    }


def _config_json(config: ImageConfig | None) -> dict[str, Any]:
    config = config or ImageConfig()
    return {
        "entrypoint": list(config.entrypoint),
        "cmd": list(config.command),
        "env": list(config.environment),
        "user": config.user,
        "workdir": config.working_folder,
        "ports": list(config.ports),
        "volumes": list(config.volumes),
        "stop_signal": config.stop_signal,
        "labels": config.labels,
    }


def _layer_json(layer: Layer) -> dict[str, Any]:
    return {
        **_blob_json(layer.blob),
        "annotations": dict(layer.blob.annotations),
        "urls": list(layer.blob.urls),
        "created_by": layer.step.created_by if layer.step else None,
        "shared_with": None if layer.shared_with is None else list(layer.shared_with),
    }


def _blob_json(blob: Descriptor) -> dict[str, Any]:
    return {"digest": blob.digest, "media_type": blob.media_type, "size": blob.size}


def _step_json(step: HistoryEntry) -> dict[str, Any]:
    return {
        "created": time_json(step.created),
        "created_by": step.created_by,
        "comment": step.comment,
        "author": step.author,
        "empty_layer": step.is_empty,
    }


def _referrer_json(referrer: Referrer) -> dict[str, Any]:
    return {
        "digest": referrer.digest,
        "media_type": referrer.media_type,
        "kind": None if referrer.error else _kind(referrer.artifact),
        "artifact_type": _type(referrer.artifact),
        "size": referrer.size,
        "created": time_json(referrer.created),
        "subject": referrer.subject,
        "tag": referrer.tag,
        "predicates": list(referrer.predicates),
        "error": referrer.error,
    }


def _kind(artifact: Artifact | None) -> str:
    return artifact.kind if artifact else "image"


def _type(artifact: Artifact | None) -> str | None:
    return artifact.media_type if artifact else None
