#!/usr/bin/env bash
# oras-py 0.2.43: `delete_tags` reports success for a tag that stays, and deletes one image of its manifest list
# instead.
#
# Expected: `delete_tags` deletes each tag that `get_tags` lists, or raises an error and deletes nothing.
# Observed: it asks for the digest of a tag as if every tag were an OCI image. For an OCI index, Distribution 2.8.3 then
# answers 404: the library logs "Cannot find tag" and leaves the tag out of what it returns. For an image of Docker's
# media type it raises "Expected to find Docker-Content-Digest header". For a Docker manifest list that has images of
# OCI's type, the registry answers with the list's image for linux/amd64. The library deletes that image and returns the
# tag as deleted. The tag is still listed, and the list is broken, as is each other index that has the image.
#
# It matters because a clean-up by tags keeps the largest of them, the multi-platform ones, without an exception, and
# breaks images that it reports as deleted.
#
# Advice: ask for the digest yourself, with all four media types in `Accept`, and delete by digest.
#
# Needs: python3 with venv, a package index that pip is set up for, apt-get with a Debian mirror set up (or
# DEBIAN_MIRROR=URL). Runs as any user on Debian 12 or 13. Distribution 2.8.3 comes from Debian 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work
registry=
trap '[ -z "$registry" ] || kill "$registry"; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# One package of Debian 13, unpacked and not installed.
mirror=${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
    head -n 1 | tr -d ' ' || true)}
mkdir -p "$work"/apt/etc/apt/{preferences,sources.list}.d "$work"/apt/var/{lib/apt/lists,cache/apt/archives}/partial
touch "$work/apt/status"
printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
    "${mirror:?set DEBIAN_MIRROR to a Debian mirror}" /usr/share/keyrings/debian-archive-keyring.gpg \
    >"$work/apt/etc/apt/sources.list.d/debian.sources"
apt=(apt-get -qq -o "Dir=$work/apt" -o "Dir::State::status=$work/apt/status" -o Debug::NoLocking=1 -o APT::Sandbox::User=)
"${apt[@]}" update
(cd "$work" && "${apt[@]}" download 'docker-registry=2.8.3*')
dpkg-deb -x "$work"/docker-registry_*.deb "$work/root"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/config.yml" <<EOF
version: 0.1
storage:
  filesystem:
    rootdirectory: $work/data
  delete:
    enabled: true
http:
  addr: 127.0.0.1:$port
EOF
"$work/root/usr/bin/docker-registry" --version
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check \
    jsonschema==4.26.0 oras==0.2.43 requests==2.34.2 urllib3==2.8.0

"$work/root/usr/bin/docker-registry" serve "$work/config.yml" >"$work/log" 2>&1 &
registry=$!
"$work/venv/bin/python" - "$port" <<'EOF'
import hashlib
import http.client
import importlib.metadata
import json
import sys
import time

import oras.client

PORT = int(sys.argv[1])
REPOSITORY = f"127.0.0.1:{PORT}/team/app"
OCI_IMAGE = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = {
    OCI_IMAGE: "application/vnd.oci.image.config.v1+json",
    DOCKER_IMAGE: "application/vnd.docker.container.image.v1+json",
}
EVERY = ", ".join([OCI_IMAGE, OCI_INDEX, DOCKER_IMAGE, DOCKER_LIST])


def ask(method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.read(), response.headers


def put(manifest, reference=None):
    """Push a manifest; its descriptor."""
    data = json.dumps(manifest).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    path = f"/v2/team/app/manifests/{reference or digest}"
    status, _, _ = ask("PUT", path, data, Content_Type=manifest["mediaType"])
    assert status == 201, status
    return {"mediaType": manifest["mediaType"], "digest": digest, "size": len(data)}


def image(media_type, reference=None, architecture="amd64"):
    """Push an image that has nothing but its configuration; its entry in an index."""
    rootfs = {"type": "layers", "diff_ids": []}
    config = json.dumps({"architecture": architecture, "os": "linux", "config": {}, "rootfs": rootfs}).encode()
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    place = ask("POST", "/v2/team/app/blobs/uploads/")[2]["Location"]
    status, _, _ = ask("PUT", f"{place}&digest={digest}", config)
    assert status == 201, status
    described = {"mediaType": CONFIG[media_type], "digest": digest, "size": len(config)}
    descriptor = put({"schemaVersion": 2, "mediaType": media_type, "config": described, "layers": []}, reference)
    return {**descriptor, "platform": {"os": "linux", "architecture": architecture}}


def delete(tag):
    """What the library returns, or its error."""
    try:
        outcome = client.delete_tags(REPOSITORY, [tag])
    except RuntimeError as exc:
        outcome = str(exc)
    print(f"delete_tags of `{tag}`: {outcome}", flush=True)
    return outcome


for _ in range(300):
    try:
        ask("GET", "/v2/")
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
entries = [image(OCI_IMAGE), image(OCI_IMAGE, architecture="arm64")]
image(OCI_IMAGE, "oci-image", architecture="s390x")
image(DOCKER_IMAGE, "docker-image")
put({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}, "oci-index")
put({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": entries}, "docker-list")

client = oras.client.OrasClient(insecure=True)
tags = sorted(client.get_tags(REPOSITORY))
print(f"oras-py {importlib.metadata.version('oras')}, get_tags: {tags}")
seen = {tag: delete(tag) for tag in ("oci-image", "oci-index", "docker-image", "docker-list")}
left = sorted(client.get_tags(REPOSITORY))
lists = {tag: ask("GET", f"/v2/team/app/manifests/{tag}", Accept=EVERY)[0] for tag in ("oci-index", "docker-list")}
images = [ask("GET", f"/v2/team/app/manifests/{entry['digest']}", Accept=EVERY)[0] for entry in entries]
print(f"get_tags: {left}")
print(f"GET of the lists: {lists}, of their images for amd64 and arm64: {images}")

expected = {
    "oci-image": ["oci-image"],
    "oci-index": [],
    "docker-image": "Expected to find Docker-Content-Digest header.",
    "docker-list": ["docker-list"],
}
still_there = ["docker-image", "docker-list", "oci-index"]
if seen != expected or left != still_there or set(lists.values()) != {200} or images != [404, 200]:
    sys.exit("changed: each tag is deleted, or nothing is deleted, or something else went wrong")
print("seen: `docker-list` was reported as deleted and is still there; an image that two lists have was deleted")
EOF
