#!/usr/bin/env bash
# Distribution 2.8.3 (docker-registry in Debian 13): with its usual configuration, a repository cannot be called by a
# SHA-256, and the error says nothing.
#
# Expected: `/v2/NAME/...` works for every name that the API's pattern allows, as 64 hexadecimal digits are. A name that
# does not fit is answered with 400 NAME_INVALID.
# Observed: uploads to such a repository, and even the list of its tags, get 500 with the body `{}`. With one digit
# fewer or more, or with a folder before it, the same requests work. It depends on the cache for blob descriptors
# (`inmemory`, as in the official image): the cache reads the name once more, as a short name of Docker Hub, where 64
# hexadecimal digits mean an image ID. Without the cache the name works.
#
# It matters because pipelines name repositories after checksums, and after commits in Git repositories that use
# SHA-256. A client sees a broken registry, retries, and finds no cause.
#
# Advice: put a folder before such a name (`commit/5feceb66...`).
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
import pathlib
import socket
import subprocess
import sys
import time

PROGRAM, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
TYPE = "application/vnd.oci.image.manifest.v1+json"
SHA256 = hashlib.sha256(b"0").hexdigest()


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.read(), response.headers


@contextlib.contextmanager
def registry(cache):
    """A registry with this cache for blob descriptors; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    storage = {"filesystem": {"rootdirectory": str(FOLDER / str(cache))}}
    if cache:
        storage["cache"] = {"blobdescriptor": cache}
    # JSON is YAML.
    config = FOLDER / "config.yml"
    config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": f"127.0.0.1:{port}"}}))
    with subprocess.Popen([PROGRAM, "serve", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                with contextlib.suppress(ConnectionRefusedError):
                    ask(port, "GET", "/v2/")
                    break
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()


def push(port, name):
    """Push a small image under this name; the answers to the first upload and to the list of its tags."""
    status, body, headers = ask(port, "POST", f"/v2/{name}/blobs/uploads/")
    if status == 202:
        digest = "sha256:" + hashlib.sha256(b"{}").hexdigest()
        assert ask(port, "PUT", f"{headers['Location']}&digest={digest}", b"{}")[0] == 201
        config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "config": config, "layers": []})
        assert ask(port, "PUT", f"/v2/{name}/manifests/1", manifest, Content_Type=TYPE)[0] == 201
    tags, said, _ = ask(port, "GET", f"/v2/{name}/tags/list")
    shown = name if len(name) < 32 else f"{name[:16]}... ({len(name)} characters)"
    print(f"{shown}: POST of an upload {status} {body.decode().strip()!r},", end=" ")
    print(f"GET of the tags {tags} {said.decode().strip()[:24]!r}")
    return status, tags


GOOD, BROKEN = (202, 200), (500, 500)
with registry("inmemory") as port:
    print("--- storage.cache.blobdescriptor: inmemory")
    seen = [push(port, name) for name in (SHA256[:-1], SHA256 + "0", f"commit/{SHA256}", SHA256)]
with registry(None) as port:
    print("--- without a cache")
    uncached = push(port, SHA256)
if seen != [GOOD, GOOD, GOOD, BROKEN] or uncached != GOOD:
    sys.exit("changed: the name works, or the answer says what is wrong")
print("seen: 64 hexadecimal digits are a name that only the cache refuses, as 500")
EOF
