#!/usr/bin/env bash
# A layer in zstd:chunked, as skopeo 1.18 and Podman write it: two Python libraries read its beginning only.
#
# Expected: a layer of media type "tar+zstd" can be read as a stream by each library that reads zstd.
# Observed: zstd:chunked is made of many zstd frames, so that a client can fetch single files. The format allows that,
# and a decoder must go on to the next frame. backports.zstd 1.8.0 (the code of Python 3.14) reads all members with
# `tarfile.open(path, "r:zst")`. With "r|zst", the mode for streams, it raises EOFError after the first frame, which is
# neither an OSError nor a TarError. python-zstandard 0.25.0 gives all bytes with `stream_reader` and `copy_stream`. Its
# `read_to_iter` and `decompressobj` give the first frame, here 512 bytes, without an error.
#
# It matters because a layer comes from a registry as a stream. The same program works with an ordinary zstd layer,
# which is one frame, and nothing in the media type tells the two apart.
#
# Advice: use `stream_reader` of python-zstandard and give it to `tarfile.open(..., mode="r|")`, or compare the digest of
# what was unpacked with the image's diff_id.
#
# Needs: python3 3.9 to 3.13 with venv, a package index that pip is set up for, apt-get with a Debian mirror set up (or
# DEBIAN_MIRROR=URL). Runs as any user on Debian 12 or 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work HOME=$work
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# skopeo of Debian 13 with all it needs, unpacked and not installed.
mirror=${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
    head -n 1 | tr -d ' ' || true)}
mkdir -p "$work"/apt/etc/apt/{preferences,sources.list}.d "$work"/apt/var/{lib/apt/lists,cache/apt/archives}/partial
touch "$work/apt/status"
printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
    "${mirror:?set DEBIAN_MIRROR to a Debian mirror}" /usr/share/keyrings/debian-archive-keyring.gpg \
    >"$work/apt/etc/apt/sources.list.d/debian.sources"
apt=(apt-get -qq -o "Dir=$work/apt" -o "Dir::State::status=$work/apt/status" -o Debug::NoLocking=1 -o APT::Sandbox::User=)
"${apt[@]}" update
"${apt[@]}" install --download-only --no-install-recommends 'skopeo=1.18.0*'
root=$work/root
for package in "$work"/apt/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
loader=("$root"/usr/lib/*/ld-linux-*.so.*)
# Started by Debian 13's own loader, it also runs on an older Debian.
skopeo() {
    "${loader[0]}" --library-path "$(echo "$root"/usr/lib/*-linux-gnu)" "$root/usr/bin/skopeo" \
        --insecure-policy "$@"
}
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check backports.zstd==1.8.0 zstandard==0.25.0

cd "$work"
skopeo --version
python3 - <<'EOF'
import hashlib
import io
import json
import os
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


# An image with five files of 100,000 bytes, in a file as `docker save` writes it.
layer = archive({f"file-{number}": os.urandom(100_000) for number in range(5)})
layers = {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}
config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": layers}).encode()
manifest = [{"Config": "config.json", "RepoTags": ["localhost/app:1"], "Layers": ["layer.tar"]}]
files = {"manifest.json": json.dumps(manifest).encode(), "config.json": config, "layer.tar": layer}
for name, content in {"image.tar": archive(files), "layer.tar": layer}.items():
    with open(name, "wb") as file:
        file.write(content)
EOF
skopeo copy --quiet --dest-compress-format zstd docker-archive:image.tar oci:ordinary
skopeo copy --quiet --dest-compress-format zstd:chunked docker-archive:image.tar oci:chunked

"$work/venv/bin/python" - <<'EOF'
import importlib.metadata
import io
import json
import pathlib
import sys
import tarfile

import backports.zstd.tarfile
import zstandard

ALL = 5


def blob(layout, digest):
    return pathlib.Path(layout, "blobs", *digest.split(":"))


def listed(path, mode):
    """The number of members that tarfile lists; its exception otherwise."""
    try:
        with backports.zstd.tarfile.open(path, mode) as tar:
            return len(tar.getmembers())
    except (EOFError, OSError, tarfile.TarError) as exc:
        return exc


def copied(path):
    unpacked = io.BytesIO()
    zstandard.ZstdDecompressor().copy_stream(path.open("rb"), unpacked)
    return len(unpacked.getvalue())


def read(layout):
    """How much of the only layer each reader gives."""
    index = json.loads(pathlib.Path(layout, "index.json").read_text())
    manifest = json.loads(blob(layout, index["manifests"][0]["digest"]).read_text())
    layer = manifest["layers"][0]
    path = blob(layout, layer["digest"])
    print(f"--- {layout}: {layer['mediaType']}, {layer['size']} bytes")
    seen = {
        "tarfile r:zst, members": listed(path, "r:zst"),
        "tarfile r|zst, members": listed(path, "r|zst"),
        "stream_reader, bytes": len(zstandard.ZstdDecompressor().stream_reader(path.open("rb")).read()),
        "copy_stream, bytes": copied(path),
        "read_to_iter, bytes": sum(map(len, zstandard.ZstdDecompressor().read_to_iter(path.open("rb")))),
        "decompressobj, bytes": len(zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())),
    }
    for reader, result in seen.items():
        print(f"{reader}: {result!r}")
    return list(seen.values())


print(*(f"{name} {importlib.metadata.version(name)}" for name in ("backports.zstd", "zstandard")), sep=", ")
whole = pathlib.Path("layer.tar").stat().st_size
ordinary, chunked = read("ordinary"), read("chunked")
is_eof = isinstance(chunked.pop(1), EOFError)
is_cut = all(0 < size < whole for size in chunked[3:])
if ordinary != [ALL, ALL, *[whole] * 4] or chunked[:3] != [ALL, whole, whole] or not is_cut or not is_eof:
    sys.exit("changed: each reader gives all of the layer, or something else went wrong")
print(f"seen: two readers gave {chunked[3]} of {whole} bytes without an error, and r|zst raised EOFError")
EOF
