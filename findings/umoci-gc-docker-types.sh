#!/usr/bin/env bash
# umoci 0.4.7 (Debian 13): `umoci gc` deletes the layers of a tagged image whose manifest has Docker's media type.
#
# Expected: a collector keeps all that a tag in index.json refers to, and a blob that it cannot read counts as in use.
# Observed: in an OCI layout, umoci does not read manifests and lists of Docker's media types. It keeps the manifest and
# deletes its config and its layers, without a message and with exit code 0. The tag is still listed.
#
# It matters because such layouts are common: skopeo writes one with `--preserve-digests`, and so does every tool that
# keeps the digest of an image. Many images still have Docker's media types. A backup is lost by freeing disk space.
#
# Advice: before `umoci gc`, look for "vnd.docker.distribution.manifest" in index.json and in the indexes that it names.
# Convert such images (skopeo without `--preserve-digests`), or do not collect.
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
"${apt[@]}" install --download-only --no-install-recommends 'skopeo=1.18.0*' 'umoci=0.4.7*'
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
umoci() { start umoci "$@"; }
expect() {
    [ "$2" = "$3" ] || {
        echo "changed: $1: '$3' instead of '$2'" >&2
        exit 1
    }
}

cd "$work"
skopeo --version
umoci --version
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


# Two images, each in a file as `docker save` writes it.
for name in ("kept", "converted"):
    layer = archive({"hello": name.encode()})
    layers = {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": layers}).encode()
    manifest = [{"Config": "config.json", "RepoTags": [f"localhost/{name}:1"], "Layers": ["layer.tar"]}]
    files = {"manifest.json": json.dumps(manifest).encode(), "config.json": config, "layer.tar": layer}
    with open(f"{name}.tar", "wb") as file:
        file.write(archive(files))
EOF
for image in kept converted; do skopeo copy --quiet "docker-archive:$image.tar" "dir:$image"; done
skopeo copy --quiet --preserve-digests dir:kept oci:layout:kept
skopeo copy --quiet dir:converted oci:layout:converted
cat layout/index.json
echo

blobs() { find layout/blobs -type f | wc -l; }
# What skopeo says when it copies an image out of the layout: 0 is the kept one, 1 the converted one.
copied() { skopeo copy --quiet "oci:layout:@$1" "dir:out-$1-$2" 2>&1 && echo whole; }
expect "files before gc" 6 "$(blobs)"
expect "copy before gc" whole "$(copied 0 before)"
echo "--- umoci gc"
umoci gc --layout layout
echo "blobs left: $(blobs) of 6; tags: $(umoci ls --layout layout | sort | tr '\n' ' ')"
kept=$(copied 0 after || true)
echo "kept: $kept"
expect "copy of the converted image" whole "$(copied 1 after)"
expect "files after gc" 4 "$(blobs)"
case $kept in *"no such file or directory"*) ;; *) expect "copy after gc" "no such file or directory" "$kept" ;; esac
echo "seen: the config and the layer of a tagged image were deleted; the converted image is whole"
