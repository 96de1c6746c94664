#!/usr/bin/env bash
# Distribution 2.8.3 (docker-registry in Debian 13): asking a pull-through cache for the size of a layer downloads the
# layer twice.
#
# Expected: the cache answers HEAD for a layer that it does not have with a HEAD of its own, and fetches nothing.
# Observed: for one HEAD, the cache asks the upstream registry with HEAD and with two GETs. One GET fills the cache. The
# bytes of the other are thrown away, because the answer to HEAD has no body. HEAD for a manifest also fetches it. With
# GET, a layer is downloaded twice as well: once for the client, once for the cache.
#
# It matters because clients use HEAD as a cheap question, "is it there, and how large is it?". A tool that shows the
# sizes of images so fills the cache's disk with them, and uses twice their size of a limited or paid download.
#
# Advice: read a layer's size from the manifest. Fill a cache with one small request before many clients come: a layer
# that is in the cache costs one HEAD for its tag.
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
"$work/root/usr/bin/docker-registry" --version

python3 - "$work/root/usr/bin/docker-registry" "$work" <<'EOF'
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

PROGRAM, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
TYPE = "application/vnd.oci.image.manifest.v1+json"
SIZE = 20_000_000
GETS = 2


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.read(), response.headers


@contextlib.contextmanager
def registry(name, **more):
    """A registry with its own folder; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(FOLDER / name)}},
        "http": {"addr": f"127.0.0.1:{port}"},
        **more,
    }
    # JSON is YAML.
    (FOLDER / f"{name}.yml").write_text(json.dumps(config))
    with (FOLDER / f"{name}.log").open("wb") as log:
        command = [PROGRAM, "serve", str(FOLDER / f"{name}.yml")]
        with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process:
            try:
                for _ in range(300):
                    with contextlib.suppress(ConnectionRefusedError):
                        ask(port, "GET", "/v2/")
                        break
                    time.sleep(0.1)
                yield port
            finally:
                process.terminate()


def upload(port, data, media_type):
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    place = ask(port, "POST", "/v2/team/app/blobs/uploads/")[2]["Location"]
    status, _, _ = ask(port, "PUT", f"{place}&digest={digest}", data)
    assert status == 201, status
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def requests_for(digest):
    """What the upstream registry was asked for this layer: (method, bytes sent) each, from its access log."""
    found = re.findall(rf'"(\w+) /v2/team/app/blobs/{digest} [^"]*" 200 (\d+)', (FOLDER / "upstream.log").read_text())
    return [(method, int(sent)) for method, sent in found]


with registry("upstream") as upstream:
    config = upload(upstream, b"{}", "application/vnd.oci.image.config.v1+json")
    layer = upload(upstream, os.urandom(SIZE), "application/vnd.oci.image.layer.v1.tar")
    manifest = {"schemaVersion": 2, "mediaType": TYPE, "config": config, "layers": [layer]}
    status, _, _ = ask(upstream, "PUT", "/v2/team/app/manifests/1", json.dumps(manifest), Content_Type=TYPE)
    assert status == 201, status
    with registry("cache", proxy={"remoteurl": f"http://127.0.0.1:{upstream}"}) as cache:
        path = f"/v2/team/app/blobs/{layer['digest']}"
        status, body, headers = ask(cache, "HEAD", path)
        print(f"HEAD of a layer of {SIZE} bytes: {status}, Content-Length {headers['Content-Length']}, body {len(body)}")
        # The cache is filled in the background.
        for _ in range(300):
            if sum(method == "GET" for method, _ in requests_for(layer["digest"])) >= GETS:
                break
            time.sleep(0.1)
        seen = requests_for(layer["digest"])
        print("the upstream registry was asked:", ", ".join(f"{method} ({sent} bytes sent)" for method, sent in seen))
        for _ in range(300):
            stored = [file for file in (FOLDER / "cache").rglob("data") if file.stat().st_size == SIZE]
            if stored:
                break
            time.sleep(0.1)
        print(f"layers in the cache's folder: {len(stored)}")

if status != 200 or body or sorted(seen) != [("GET", SIZE), ("GET", SIZE), ("HEAD", 0)] or len(stored) != 1:
    sys.exit("changed: HEAD does not download the layer twice, or something else went wrong")
print(f"seen: one HEAD made the cache download {GETS} x {SIZE} bytes")
EOF
