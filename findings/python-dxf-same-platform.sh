#!/usr/bin/env bash
# python-dxf 12.1.1: of images for the same platform in an index, only the last is listed, and only that one is deleted.
#
# Expected: `get_alias` and `del_alias` give all images of an index, or fail where they cannot.
# Observed: both return a dict by platform, such as `windows/amd64`. An index may have several entries of one platform:
# Windows images, one for each `os.version`, and the attestations of buildx, which are all `unknown/unknown`. The last
# entry replaces the others, without an error. Its documentation says how to delete an index: `del_alias` of the tag,
# then `del_alias` of each digest that it returned. That leaves the other images in the registry, without a tag, and
# `garbage-collect` keeps their layers.
#
# It matters because a clean-up with this library reports success, the tag is gone, and the disk stays full. The digests
# that could be deleted are not listed by the registry's API.
#
# Advice: read the index with `get_manifest_and_response` before you delete it, and delete each digest in its
# `manifests`.
#
# Needs: python3 with venv, a package index that pip is set up for, apt-get with a Debian mirror set up (or
# DEBIAN_MIRROR=URL). Runs as any user on Debian 12 or 13. Distribution 2.8.3 comes from Debian 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work
trap 'rm -rf "$work"' EXIT
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
"$work/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check --use-pep517 \
    python-dxf==12.1.1 requests==2.34.2 tqdm==4.70.1 urllib3==2.8.0 www-authenticate==0.9.2

"$work/venv/bin/python" - "$work/root/usr/bin/docker-registry" "$work/config.yml" "$port" "$work/data" <<'EOF'
import contextlib
import hashlib
import http.client
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import time

import dxf

PROGRAM, CONFIG, PORT, DATA = sys.argv[1], sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
OCI = "application/vnd.oci.image"
LAYER_SIZE = 1_000_000


def ask(method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.read(), response.headers


@contextlib.contextmanager
def registry():
    with subprocess.Popen([PROGRAM, "serve", CONFIG], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                with contextlib.suppress(ConnectionRefusedError):
                    ask("GET", "/v2/")
                    break
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def upload(data, kind):
    place = ask("POST", "/v2/team/app/blobs/uploads/")[2]["Location"]
    status, _, _ = ask("PUT", f"{place}&digest={digest_of(data)}", data)
    assert status == 201, status
    return {"mediaType": f"{OCI}.{kind}", "digest": digest_of(data), "size": len(data)}


def put(manifest, reference=None):
    """Push a manifest; its descriptor."""
    data = json.dumps(manifest).encode()
    reference = reference or digest_of(data)
    status, _, _ = ask("PUT", f"/v2/team/app/manifests/{reference}", data, Content_Type=manifest["mediaType"])
    assert status == 201, status
    return {"mediaType": manifest["mediaType"], "digest": digest_of(data), "size": len(data)}


def image(platform):
    """Push an image with one layer; its entry in an index."""
    config = upload(json.dumps({**platform, "config": {}}).encode(), "config.v1+json")
    layer = upload(os.urandom(LAYER_SIZE), "layer.v1.tar")
    media_type = f"{OCI}.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": [layer]}
    return {**put(manifest), "platform": platform}


def status(entry):
    return ask("GET", f"/v2/team/app/manifests/{entry['digest']}", Accept=entry["mediaType"])[0]


def stored():
    """Bytes in the registry's blobs."""
    return sum(file.stat().st_size for file in DATA.rglob("data"))


with registry():
    entries = [
        image({"os": "linux", "architecture": "amd64"}),
        image({"os": "windows", "architecture": "amd64", "os.version": "10.0.17763.6893"}),
        image({"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.3207"}),
    ]
    put({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": entries}, "1")
    repository = dxf.DXF(f"127.0.0.1:{PORT}", "team/app", insecure=True)
    print(f"python-dxf {importlib.metadata.version('python-dxf')}, an index of {len(entries)} images")
    listed = repository.get_alias("1")
    print("get_alias:", ", ".join(listed))
    images = repository.del_alias("1")
    print("del_alias of the tag:", ", ".join(f"{name} {digest[:15]}..." for name, digest in images.items()))
    for digest in images.values():
        repository.del_alias(digest)
    left = [status(entry) for entry in entries]
    print(f"GET of the {len(entries)} images after del_alias of these: {left}; tags: {repository.list_aliases()}")
subprocess.run([PROGRAM, "garbage-collect", CONFIG], capture_output=True, check=True)
print(f"bytes in the registry after garbage-collect: {stored()}")

if list(listed) != ["linux/amd64", "windows/amd64"] or left != [404, 200, 404] or stored() < LAYER_SIZE:
    sys.exit("changed: all images of the index are listed and deleted, or something else went wrong")
print("seen: one of two images for windows/amd64 was neither listed nor deleted, and its layer stays")
EOF
