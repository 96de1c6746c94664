#!/usr/bin/env bash
# skopeo 1.18.0 (Debian 13): after one copy with zstd, later copies of the same layers have zstd too, even with
# `--dest-compress-format gzip`.
#
# Expected: a copy without an option compresses layers with gzip, and `--dest-compress-format gzip` always does.
# Observed: skopeo remembers, for each user, the compressed form of a layer that it put into a registry. Later copies to
# that registry use it again, in any repository and under any tag. The option for gzip is ignored, without a message and
# with exit code 0. The image is in OCI format instead of Docker's, because that has no zstd. Podman 5.4.2 does the same
# in `podman push` without an option; there, `--compression-format gzip` helps.
#
# It matters because one trial with zstd changes each later release that has a layer in common with it. Such an image
# cannot be pulled by Docker 20.10 (Debian 12) or unpacked by umoci 0.4.7 (Debian 13). The same command on another
# machine makes an image that can.
#
# Advice: for clients that need gzip, copy with `--format v2s2`, and look at the layers' media types afterwards. Or try
# zstd in a different registry.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL), as root also unshare. Runs as any user on
# Debian 12 or 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work HOME=$work XDG_DATA_HOME=$work/data
registry=
trap '[ -z "$registry" ] || kill "$registry" || true; chmod -R u+w "$work"; rm -rf "$work"' EXIT
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
"${apt[@]}" install --download-only --no-install-recommends 'docker-registry=2.8.3*' 'skopeo=1.18.0*' 'umoci=0.4.7*'
root=$work/root
for package in "$work"/apt/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
loader=("$root"/usr/lib/*/ld-linux-*.so.*)
# As root, skopeo keeps its memory in /var/lib, which is a folder of this script for it.
mkdir "$work/var-lib"
private=()
# shellcheck disable=SC2016 # the inner shell expands these
[ "$(id -u)" -ne 0 ] || private=(unshare --mount sh -c 'mount --bind "$0" /var/lib && exec "$@"' "$work/var-lib")
# Started by Debian 13's own loader, they also run on an older Debian.
start() {
    local program=$1
    shift
    "${private[@]}" "${loader[0]}" --library-path "$(echo "$root"/usr/lib/*-linux-gnu)" "$root/usr/bin/$program" "$@"
}
skopeo() { REGISTRY_AUTH_FILE=$work/auth.json start skopeo --insecure-policy "$@"; }
expect() {
    [ "$2" = "$3" ] || {
        echo "changed: $1: '$3' instead of '$2'" >&2
        exit 1
    }
}

cd "$work"
echo '{}' >auth.json
skopeo --version
start umoci --version
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s/registry}}\nhttp: {addr: "127.0.0.1:%s"}\n' \
    "$work" "$port" >config.yml
"$root/usr/bin/docker-registry" --version
env -i "$root/usr/bin/docker-registry" serve config.yml >registry.log 2>&1 &
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
layer = archive({"hello": b"hello" * 1000})
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

# Copy the image into a repository, with options; the media type of its layer.
copied() {
    local name=docker://127.0.0.1:$port/$1
    shift
    skopeo copy --quiet --dest-tls-verify=false "$@" docker-archive:image.tar "$name"
    skopeo inspect --raw --tls-verify=false "$name" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["layers"][0]["mediaType"].removeprefix("application/vnd."))'
}
# How umoci unpacks an image of the registry.
unpacked() {
    skopeo copy --quiet --src-tls-verify=false "docker://127.0.0.1:$port/$1" "oci:layout:$2"
    start umoci unpack --rootless --image "layout:$2" "unpacked-$2" 2>&1 && echo unpacked
}
docker=docker.image.rootfs.diff.tar.gzip
zstd=oci.image.layer.v1.tar+zstd

before=$(copied app:before)
echo "plain copy: $before"
expect "plain copy" "$docker" "$before"
expect "umoci" unpacked "$(unpacked app:before before)"
# The same, as on a machine that has not copied the image before.
rm -rf data var-lib/*
trial=$(copied trial:1 --dest-compress-format zstd)
echo "copy with zstd to another repository: $trial"
expect "copy with zstd" "$zstd" "$trial"
after=$(copied app:after)
echo "plain copy afterwards: $after"
expect "plain copy afterwards" "$zstd" "$after"
gzip=$(copied app:gzip --dest-compress-format gzip)
echo "copy with gzip afterwards: $gzip"
expect "copy with gzip" "$zstd" "$gzip"
result=$(unpacked app:gzip gzip || true)
echo "umoci of that: $result"
case $result in *"not correct mediatype"*) ;; *) expect "umoci" "not correct mediatype" "$result" ;; esac
v2s2=$(copied app:v2s2 --format v2s2)
echo "copy in Docker's format: $v2s2"
expect "copy in Docker's format" "$docker" "$v2s2"
echo "seen: a layer that was copied once with zstd has zstd in later copies, without an option and with that for gzip"
