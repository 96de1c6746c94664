#!/usr/bin/env bash
# Distribution 2.8.3 (docker-registry in Debian 13) deletes a layer on a DELETE of a manifest with its digest.
#
# Expected: 404, because the repository has no manifest of that digest.
# Observed: 202, and the layer leaves the repository. The images that use it stay in `tags/list` and cannot be pulled.
#
# It matters because an index may list layers next to manifests: BuildKit writes its cache so. A tool that removes an
# index with all that the index lists breaks the other images of the repository that share a layer with the cache.
#
# Advice: before a DELETE of a part of an index, look at its media type there. HEAD at `/manifests/` also tells: for a
# layer, the registry answers 500.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL). Runs as any user on Debian 12 or 13.
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

python3 - "$work/root/usr/bin/docker-registry" "$work/config.yml" "$port" <<'EOF'
import contextlib
import hashlib
import http.client
import json
import subprocess
import sys
import time

PROGRAM, CONFIG, PORT = sys.argv[1:]
TYPE = "application/vnd.oci.image.manifest.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def ask(method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", int(PORT), timeout=30)
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


def upload(data, media_type):
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    place = ask("POST", "/v2/team/app/blobs/uploads/")[2]["Location"]
    ask("PUT", f"{place}&digest={digest}", data)
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def told(method, path):
    status, body, _ = ask(method, path, Accept=TYPE)
    print(f"{method} {path}: {status} {body[:100].decode(errors='replace').strip() if status >= 400 else ''}".strip())
    return status


with registry():
    config = upload(b"{}", "application/vnd.oci.image.config.v1+json")
    layer = upload(b"a layer of two images", LAYER)
    for tag in ("1", "2"):
        manifest = {"schemaVersion": 2, "mediaType": TYPE, "config": config, "layers": [layer], "annotations": {"n": tag}}
        ask("PUT", f"/v2/team/app/manifests/{tag}", json.dumps(manifest), Content_Type=TYPE)
    blob, as_manifest = (f"/v2/team/app/{kind}/{layer['digest']}" for kind in ("blobs", "manifests"))
    before = told("HEAD", blob), told("HEAD", as_manifest)
    deleted = told("DELETE", as_manifest)
    after = [told("GET", blob), *(told("GET", f"/v2/team/app/manifests/{tag}") for tag in ("1", "2"))]
    tags = json.loads(ask("GET", "/v2/team/app/tags/list")[1])["tags"]

if before != (200, 500) or deleted != 202 or after != [404, 200, 200] or sorted(tags) != ["1", "2"]:
    sys.exit("changed: the layer is not deleted as if it were a manifest")
print("seen: a layer of two tagged images was deleted by a request to delete a manifest")
EOF
