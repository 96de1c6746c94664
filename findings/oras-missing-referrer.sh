#!/usr/bin/env bash
# oras 1.2.0 (Debian 13): one referrer that another tool deleted keeps oras from attaching to and deleting from an
# image.
#
# Expected: oras leaves out what is gone when it writes the list of an image's referrers (signatures, SBOMs), or says
# which entry is wrong.
# Observed: a registry without the referrers API, as Distribution 2.8.3, has this list in an index with the tag
# `sha256-...`. A tool that does not know of it (here `skopeo delete`; `garbage-collect -m` of this registry, too)
# deletes a referrer and leaves its entry. From then on, each `oras attach` for the image fails with "blob unknown", as
# does `oras manifest delete` of each other referrer, because oras writes the entry again and the registry refuses it.
# The new referrer was stored before that, and nothing leads to it. `oras discover` shows the deleted one as before, and
# `oras manifest delete` of it says that it is missing, with exit code 0. When the index is mended and the attach is
# repeated with the same content and time, oras says "Attached", finds the referrer stored, and does not list it.
#
# It matters because a clean-up that deletes one old signature stops the signing of that image for good, in another
# tool, with an error that does not say what to do.
#
# Advice: delete referrers with oras. To mend the list, take the entry out of the index and push the index again under
# its tag, as this script does. Afterwards, look with `oras discover` whether each attach that failed is listed.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL). Runs as any user on Debian 12 or 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work HOME=$work
registry=
trap '[ -z "$registry" ] || kill "$registry"; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Three programs of Debian 13 with all they need, unpacked and not installed.
mirror=${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
    head -n 1 | tr -d ' ' || true)}
mkdir -p "$work"/apt/etc/apt/{preferences,sources.list}.d "$work"/apt/var/{lib/apt/lists,cache/apt/archives}/partial
touch "$work/apt/status"
printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
    "${mirror:?set DEBIAN_MIRROR to a Debian mirror}" /usr/share/keyrings/debian-archive-keyring.gpg \
    >"$work/apt/etc/apt/sources.list.d/debian.sources"
apt=(apt-get -qq -o "Dir=$work/apt" -o "Dir::State::status=$work/apt/status" -o Debug::NoLocking=1 -o APT::Sandbox::User=)
"${apt[@]}" update
"${apt[@]}" install --download-only --no-install-recommends 'docker-registry=2.8.3*' 'oras=1.2.0*' 'skopeo=1.18.0*'
root=$work/root
for package in "$work"/apt/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
loader=("$root"/usr/lib/*/ld-linux-*.so.*)
# Started by Debian 13's own loader, they also run on an older Debian.
start() {
    local program=$1
    shift
    "${loader[0]}" --library-path "$(echo "$root"/usr/lib/*-linux-gnu)" "$root/usr/bin/$program" "$@"
}
skopeo() { start skopeo --insecure-policy "$@"; }
expect() {
    [ "$2" = "$3" ] || {
        echo "changed: $1: '$3' instead of '$2'" >&2
        exit 1
    }
}

cd "$work"
skopeo --version
start oras version | grep Version
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s/data}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:%s"}\n' \
    "$work" "$port" >config.yml
"$root/usr/bin/docker-registry" --version
"$root/usr/bin/docker-registry" serve config.yml >registry.log 2>&1 &
registry=$!
python3 - "$port" <<'EOF'
import hashlib
import io
import json
import socket
import sys
import tarfile
import time


def archive(files):
    """A tar with these files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


# An image, in a file as `docker save` writes it.
layer = archive({"hello": b"hello"})
layers = {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": layers}).encode()
manifest = [{"Config": "config.json", "RepoTags": ["localhost/app:1"], "Layers": ["layer.tar"]}]
files = {"manifest.json": json.dumps(manifest).encode(), "config.json": config, "layer.tar": layer}
with open("image.tar", "wb") as file:
    file.write(archive(files))

for _ in range(300):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
EOF

repository=127.0.0.1:$port/team/app
skopeo copy --quiet --dest-tls-verify=false docker-archive:image.tar "docker://$repository:1"
# Attach a file to the image, with a fixed time as reproducible builds have it; what oras says, without the progress.
attach() {
    echo "$1" >"$1.txt"
    start oras attach --plain-http --artifact-type "application/vnd.example.$1" \
        --annotation org.opencontainers.image.created=2026-01-01T00:00:00Z "$repository:1" "$1.txt" 2>&1 |
        grep -Ev '^(Exists|Upload)'
}
# The digest of the referrer of this kind.
referrer() {
    start oras discover --plain-http --format json "$repository:1" | python3 -c '
import json, sys
kinds = {entry["artifactType"].split(".")[-1]: entry["digest"] for entry in json.load(sys.stdin)["manifests"]}
print(kinds.get(sys.argv[1], "not listed"))' "$1"
}
delete() { start oras manifest delete --plain-http --force "$repository@$1" 2>&1; }
# A digest or a port differs from run to run.
short() { sed -E "s/[0-9a-f]{56}/.../g; s/127\.0\.0\.1:$port/REGISTRY/g"; }

attach signature | short
attach sbom | short
signature=$(referrer signature)
sbom=$(referrer sbom)
echo "--- skopeo deletes the signature"
skopeo delete --tls-verify=false "docker://$repository@$signature"
expect "discover" "$signature" "$(referrer signature)"
echo "still listed by oras discover: $signature" | short
code=0
output=$(attach scan) || code=$?
echo "oras attach, exit code $code: $output" | short
expect "attach" 1 "$code"
case $output in *"blob unknown to registry: $signature"*) ;; *) expect "attach" "blob unknown" "$output" ;; esac
expect "discover after attach" "not listed" "$(referrer scan)"
code=0
output=$(delete "$sbom") || code=$?
echo "oras manifest delete of the SBOM, exit code $code: $output" | short
expect "delete of another referrer" 1 "$code"
code=0
output=$(delete "$signature") || code=$?
echo "oras manifest delete of the signature, exit code $code: $output" | short
expect "delete of the deleted one" 0 "$code"
expect "discover after delete" "$signature" "$(referrer signature)"

echo "--- the entry is taken out of the index"
subject=$(start oras resolve --plain-http "$repository:1")
start oras manifest fetch --plain-http "$repository:${subject/:/-}" | python3 -c '
import json, sys
index = json.load(sys.stdin)
index["manifests"] = [entry for entry in index["manifests"] if entry["digest"] != sys.argv[1]]
json.dump(index, sys.stdout)' "$signature" >index.json
start oras manifest push --plain-http "$repository:${subject/:/-}" index.json | short
expect "discover of the deleted one" "not listed" "$(referrer signature)"
attach report | short
case $(referrer report) in sha256:*) ;; *) expect "discover" "a digest" "not listed" ;; esac
echo "--- the attach that failed is repeated"
output=$(attach scan)
echo "oras attach: $output" | short
case $output in Attached*) ;; *) expect "attach" "Attached" "$output" ;; esac
expect "discover of the repeated one" "not listed" "$(referrer scan)"
echo "listed by oras discover: $(referrer scan)"
echo "seen: one referrer was deleted by skopeo, and oras could not attach or delete until the index was mended"
