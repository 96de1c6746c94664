#!/usr/bin/env bash
# Distribution 2.8.3 (docker-registry in Debian 13): `garbage-collect` deletes layers that a tagged image names by sha512.
#
# Expected: the registry keeps a layer that a tag refers to, or refuses a digest that it cannot keep.
# Observed: it accepts and serves the layer and the manifest. The collector prints "marking blob sha512:..." for the
# layer and deletes it all the same, because every blob is stored under its sha256. The tag and the manifest stay.
#
# It matters because the OCI image specification registers sha512 as well as sha256. The image is lost at the next
# collection although nothing was deleted, and `tags/list` still shows it.
#
# Advice: name blobs by sha256 in images for this registry. Search the manifests for "sha512:" before a collection.
# A dry run does not warn: the layer is only one more blob that is eligible for deletion.
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


def upload(data, algorithm, media_type):
    digest = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    place = ask("POST", "/v2/team/app/blobs/uploads/")[2]["Location"]
    status, _, _ = ask("PUT", f"{place}&digest={digest}", data)
    print(f"PUT of a blob as {digest[:15]}...: {status}")
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def read(blobs):
    """The status of the tag, and of each blob of its manifest."""
    tag, body, _ = ask("GET", "/v2/team/app/manifests/1", Accept=TYPE)
    found = {blob["digest"]: ask("GET", f"/v2/team/app/blobs/{blob['digest']}")[0] for blob in blobs}
    print(f"GET of the tag: {tag};", ", ".join(f"{digest[:15]}...: {status}" for digest, status in found.items()))
    return [tag, *found.values()]


with registry():
    blobs = [
        upload(b"{}", "sha256", "application/vnd.oci.image.config.v1+json"),
        upload(b"a layer that is named by sha256", "sha256", LAYER),
        upload(b"a layer that is named by sha512", "sha512", LAYER),
    ]
    manifest = {"schemaVersion": 2, "mediaType": TYPE, "config": blobs[0], "layers": blobs[1:]}
    status, _, _ = ask("PUT", "/v2/team/app/manifests/1", json.dumps(manifest), Content_Type=TYPE)
    print(f"PUT of the manifest: {status}")
    before = read(blobs)
print("--- the registry is stopped; garbage-collect:")
collected = subprocess.run([PROGRAM, "garbage-collect", CONFIG], capture_output=True, text=True, check=True)
print(collected.stdout.strip())
print("--- started again:")
with registry():
    after = read(blobs)

marked = f"marking blob {blobs[2]['digest']}" in collected.stdout
if before != [200, 200, 200, 200] or after != [200, 200, 200, 404] or not marked:
    sys.exit("changed: the layer was kept, was refused in the first place, or was not marked")
print("seen: the layer that a tagged image names by sha512 was deleted; the tag and the rest are still there")
EOF
