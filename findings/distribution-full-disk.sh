#!/usr/bin/env bash
# Distribution 2.8.3 (docker-registry in Debian 13): an image whose push met a full disk cannot be pushed again.
#
# Expected: a push fails while the disk is full, and the same push works when there is space again.
# Observed: the first push is answered with 500, but the manifest's file stays, with 0 bytes. When there is space again,
# the same push is answered with 201, the file stays empty, and GET of the tag is 500. A restart, and DELETE of the
# manifest, do not help: the registry takes the file's name for its content and never writes it again. `garbage-collect`
# ends with exit code 1 at the empty manifest, for all repositories.
#
# It matters because "free some space and push again" looks like a success to every client that does not read the image
# back. The command that frees space is the one that fails.
#
# Advice: delete the manifest by its digest, run `garbage-collect`, restart the registry, and push again. To find such
# files: `find blobs -name data -empty`. Only manifests below 4 KB are affected, which most are.
#
# Needs: python3, unshare, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL). Runs as root, or as a user who
# may create namespaces, on Debian 12 or 13.
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
    rootdirectory: $work/disk/data
  delete:
    enabled: true
http:
  addr: 127.0.0.1:$port
EOF
"$work/root/usr/bin/docker-registry" --version

cat >"$work/ask.py" <<'EOF'
import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import subprocess
import sys
import time

PROGRAM, CONFIG, PORT, DISK = sys.argv[1], sys.argv[2], int(sys.argv[3]), pathlib.Path(sys.argv[4])
TYPE = "application/vnd.oci.image.manifest.v1+json"


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


def upload(repository, data, media_type):
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    place = ask("POST", f"/v2/{repository}/blobs/uploads/")[2]["Location"]
    status, _, _ = ask("PUT", f"{place}&digest={digest}", data)
    assert status == 201, status
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def manifest_of(repository):
    """The manifest of an image whose layers and configuration are in the repository."""
    config = upload(repository, b"{}", "application/vnd.oci.image.config.v1+json")
    layer = upload(repository, f"a layer of {repository}".encode(), "application/vnd.oci.image.layer.v1.tar")
    return json.dumps({"schemaVersion": 2, "mediaType": TYPE, "config": config, "layers": [layer]}).encode()


def push(repository, manifest, when):
    """The status of PUT, and of GET of the tag after it."""
    put, _, _ = ask("PUT", f"/v2/{repository}/manifests/1", manifest, Content_Type=TYPE)
    get, body, _ = ask("GET", f"/v2/{repository}/manifests/1", Accept=TYPE)
    whole = "" if body != manifest else ", the manifest"
    size = stored.stat().st_size if stored.exists() else "no"
    print(f"{when}: PUT {put}, GET of the tag {get}{whole}; {size} bytes of the manifest's file")
    return put, get


def collect():
    """The exit code of garbage-collect."""
    collected = subprocess.run([PROGRAM, "garbage-collect", CONFIG], capture_output=True, text=True)
    error = collected.stderr.strip().split("filesystem: ")[-1] if collected.returncode else ""
    print(f"garbage-collect: exit code {collected.returncode}", error)
    return collected.returncode


def fill():
    file = os.open(DISK / "filler", os.O_CREAT | os.O_WRONLY)
    with contextlib.suppress(OSError):
        while os.write(file, bytes(4096)):
            pass
    os.close(file)


with registry():
    other = manifest_of("team/other")
    manifest = manifest_of("team/app")
    hexdigest = hashlib.sha256(manifest).hexdigest()
    stored = DISK / f"data/docker/registry/v2/blobs/sha256/{hexdigest[:2]}/{hexdigest}/data"
    ask("PUT", "/v2/team/other/manifests/1", other, Content_Type=TYPE)
    fill()
    full = push("team/app", manifest, "the disk is full")
    (DISK / "filler").unlink()
    freed = push("team/app", manifest, "there is space again")
with registry():
    restarted = push("team/app", manifest, "restarted")
    deleted, _, _ = ask("DELETE", f"/v2/team/app/manifests/sha256:{hexdigest}")
    again = push("team/app", manifest, f"DELETE {deleted}, then pushed again")
code = collect()
with registry():
    ask("DELETE", f"/v2/team/app/manifests/sha256:{hexdigest}")
code_after_delete = collect()
with registry():
    # Its layers are gone as well.
    manifest = manifest_of("team/app")
    healed = push("team/app", manifest, "DELETE, garbage-collect, restart, pushed whole")

failed = [freed, restarted, again]
if full != (500, 404) or failed != [(201, 500)] * 3 or code != 1 or code_after_delete != 0 or healed != (201, 200):
    sys.exit("changed: the push works when there is space again, or something else went wrong")
print("seen: three pushes were answered with 201 and stored nothing; garbage-collect failed at the empty manifest")
EOF

cat >"$work/session.sh" <<'EOF'
set -eu
work=$1 port=$2
# A disk of 2 MB, which only this process and its children see.
mkdir "$work/disk"
mount -t tmpfs -o size=2m none "$work/disk"
python3 "$work/ask.py" "$work/root/usr/bin/docker-registry" "$work/config.yml" "$port" "$work/disk"
EOF
namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
unshare "${namespaces[@]}" sh "$work/session.sh" "$work" "$port"
