"""All that a kill could leave in disorder: what an engine, a registry and the file system hold."""

from __future__ import annotations

import json
import socket
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.engines.api import EngineApi
from support.engines.real import TESTER_RUNTIME, Bed

from localreg.oci.manifest import DOCKER_MANIFEST, OCI_MANIFEST

Snapshot = dict[str, Any]

_DROP_IN = "50-localreg.conf"


def take_snapshot(bed: Bed, api: EngineApi) -> Snapshot:
    """What is there, without what is another for each container of localreg's."""
    inspected = [api.get(f"/containers/{entry['Id']}/json") for entry in api.get("/containers/json?all=1")]
    containers = {str(found["Name"]).removeprefix("/"): found for found in inspected}
    return {
        "containers": {name: _container(found) for name, found in containers.items()},
        "volumes": {found["Name"]: _volume(found) for found in api.get("/volumes")["Volumes"] or ()},
        "images": {image["Id"]: sorted(image["RepoTags"] or ()) for image in api.get("/images/json")},
        "registry": dict(_tags(containers["registry"])) if "registry" in containers else {},
        "configuration": {
            str(path): _content(path)
            for folder in (bed.home / ".config", Path("/etc/docker"))
            for path in sorted(folder.rglob("*"))
        },
        "trusted": (api.get("/info").get("RegistryConfig") or {}).get("IndexConfigs"),
        "temporary files": sorted(path.name for path in Path("/tmp").glob("localreg*")),
        "deserted sockets": sorted(path.name for path in _sockets(bed) if not _is_listened_to(path)),
    }


def foreign_part(snapshot: Snapshot) -> Snapshot:
    """What localreg did not make, and what it never has to change."""
    files = snapshot["configuration"].items()
    return {
        "containers": {name: found for name, found in snapshot["containers"].items() if "id" in found},
        "volumes": {name: found for name, found in snapshot["volumes"].items() if found["created"]},
        "files": {path: content for path, content in files if path.endswith((".swp", "company.conf"))},
        "entries": [entry for path, (_, text) in files if path.endswith(_DROP_IN) for entry in _foreign_entries(text)],
    }


def _foreign_entries(text: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = tomllib.loads(text)["registry"]
    return [entry for entry in entries if entry["location"].endswith(".example.com")]


def _is_ours(labels: dict[str, str] | None) -> bool:
    return "localreg.schema" in (labels or {})


def _container(found: dict[str, Any]) -> dict[str, Any]:
    labels = found["Config"]["Labels"]
    described = {
        "state": found["State"]["Status"],
        "labels": {name: value for name, value in (labels or {}).items() if name.startswith("localreg.")},
        "mounts": [(mount.get("Name"), mount["Destination"]) for mount in found["Mounts"]],
        "ports": found["HostConfig"]["PortBindings"],
    }
    return described if _is_ours(labels) else {**described, "id": found["Id"], "since": found["State"]["StartedAt"]}


def _volume(found: dict[str, Any]) -> dict[str, Any]:
    labels = found["Labels"] or {}
    return {"labels": labels, "created": None if _is_ours(labels) else found["CreatedAt"]}


def _tags(registry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every tag that the registry has, and its digest."""
    if registry["State"]["Status"] != "running":
        return
    base = f"http://127.0.0.1:{registry['HostConfig']['PortBindings']['5000/tcp'][0]['HostPort']}/v2"
    for repository in _json(f"{base}/_catalog")["repositories"]:
        for tag in _json(f"{base}/{repository}/tags/list").get("tags") or ():
            asked = urllib.request.Request(
                f"{base}/{repository}/manifests/{tag}",
                headers={"Accept": f"{OCI_MANIFEST}, {DOCKER_MANIFEST}"},
                method="HEAD",
            )
            with urllib.request.urlopen(asked) as answer:
                yield f"{repository}:{tag}", answer.headers["Docker-Content-Digest"]


def _json(url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(url) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as exc:
        # A repository whose last tag went.
        exc.close()
        return {}


def _content(path: Path) -> tuple[str, str | None]:
    return f"{path.stat().st_mode:o}", path.read_text() if path.is_file() else None


def _sockets(bed: Bed) -> Iterator[Path]:
    yield from ((TESTER_RUNTIME if bed.uid else Path("/run")) / "localreg").glob("*.sock")


def _is_listened_to(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0
