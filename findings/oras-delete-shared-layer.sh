#!/usr/bin/env bash
# oras 1.2.0 (Debian 13): `oras manifest delete` in an OCI layout deletes layers of other images, if Docker's media
# types are mixed with those of OCI.
#
# Expected: deleting one image of a layout removes what no other image needs.
# Observed: oras counts who needs a blob by media type and digest, and removes files by digest. Two images have a base
# layer in common: in one it has Docker's media type, in the other that of OCI. When one image is deleted, its
# description of the layer is no longer needed, and the file goes. The other image is broken, without a message and
# with exit code 0. Its tag is still listed. With equal media types, the layer stays.
#
# It matters because a layout whose images keep their digests (skopeo with `--preserve-digests`) has both kinds: of one
# base, some images come from Docker, with its types, and some from Buildah or BuildKit, with those of OCI.
#
# Advice: do not delete in such a layout. Copy the images to keep into a new one. To check a layout, copy each tag out
# of it.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL). Runs as any user on Debian 12 or 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work HOME=$work
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Two programs of Debian 13 with all they need, unpacked and not installed.
mirror=${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
    head -n 1 | tr -d ' ' || true)}
mkdir -p "$work"/apt/etc/apt/{preferences,sources.list}.d "$work"/apt/var/{lib/apt/lists,cache/apt/archives}/partial
touch "$work/apt/status"
printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
    "${mirror:?set DEBIAN_MIRROR to a Debian mirror}" /usr/share/keyrings/debian-archive-keyring.gpg \
    >"$work/apt/etc/apt/sources.list.d/debian.sources"
apt=(apt-get -qq -o "Dir=$work/apt" -o "Dir::State::status=$work/apt/status" -o Debug::NoLocking=1 -o APT::Sandbox::User=)
"${apt[@]}" update
"${apt[@]}" install --download-only --no-install-recommends 'oras=1.2.0*' 'skopeo=1.18.0*'
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
oras() { start oras "$@"; }
expect() {
    [ "$2" = "$3" ] || {
        echo "changed: $1: '$3' instead of '$2'" >&2
        exit 1
    }
}

cd "$work"
skopeo --version
oras version | grep Version
python3 - <<'EOF'
import hashlib
import io
import json
import tarfile


def archive(files):
    """A tar with these files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


# Images with the same base layer and a layer of their own, each in a file as `docker save` writes it.
for name in ("docker", "oci", "oci-too"):
    layers = {"base.tar": archive({"base": b"the base"}), f"{name}.tar": archive({"hello": name.encode()})}
    rootfs = {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers.values()]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}).encode()
    manifest = [{"Config": "config.json", "RepoTags": [f"localhost/{name}:1"], "Layers": list(layers)}]
    files = {"manifest.json": json.dumps(manifest).encode(), "config.json": config, **layers}
    with open(f"{name}.tar", "wb") as file:
        file.write(archive(files))
EOF
for image in docker oci oci-too; do skopeo copy --quiet --dest-compress "docker-archive:$image.tar" "dir:$image"; done
skopeo copy --quiet --preserve-digests dir:docker oci:layout:docker
for image in oci oci-too; do skopeo copy --quiet "dir:$image" "oci:layout:$image"; done
cat layout/index.json
echo
cp -r layout second

blobs() { find "$1/blobs" -type f | wc -l; }
# The outcome of a copy of the tag `oci` out of a layout.
copied() { skopeo copy --quiet "oci:$1:oci" "dir:out-$1-$2" 2>&1 && echo whole; }
# Base layer, and a manifest, a configuration and a layer for each image.
expect "files in the layout" 10 "$(blobs layout)"
expect "copy before" whole "$(copied layout before)"

echo "--- oras manifest delete of oci-too, which has the same media types as oci"
oras manifest delete --oci-layout --force second:oci-too
result=$(copied second after || true)
echo "blobs left: $(blobs second) of 10; copy of oci: $result"
expect "copy of oci, beside oci-too" whole "$result"
echo "--- oras manifest delete of docker"
oras manifest delete --oci-layout --force layout:docker
result=$(copied layout after || true)
echo "blobs left: $(blobs layout) of 10; copy of oci: $result"
expect "files after the deletion" 6 "$(blobs layout)"
case $result in *"no such file or directory"*) ;; *) expect "copy of oci" "no such file or directory" "$result" ;; esac
expect "tags" "oci oci-too" "$(oras repo tags --oci-layout layout | sort | tr '\n' ' ' | sed 's/ $//')"
echo "seen: the base layer of two tagged images was deleted with an image of other media types"
