#!/usr/bin/env bash
# podman-py 5.8.0: `images.build` reads .dockerignore by rules of its own, and leaves out files that `podman build`
# takes.
#
# Expected: the same image as from `podman build` in the same folder. `*.md` ignores such files in the folder itself,
# and `!README.md` takes one of them all the same.
# Observed: podman-py packs the folder for Podman. For podman-py, `*.md` also means files in the folders below, and a
# line with `!` has no effect. The build succeeds, and the image lacks files. An ignore file with `*` and a list of what
# to take stops every build, because the Dockerfile is left out too.
#
# It matters because `COPY . .` does not miss a file. The image fails later, when it runs, and the same folder is fine
# with `podman build`.
#
# Advice: pack the whole folder and give the tar to `images.build` as `fileobj`, with `custom_context=True` and
# `dockerfile`. Podman then applies .dockerignore by its own rules.
#
# Needs: python3 with venv, a package index that pip is set up for, apt-get with a Debian mirror set up (or
# DEBIAN_MIRROR=URL), unshare. Runs as root, or as a user who may create namespaces, on Debian 12 or 13. Podman 5.4.2
# comes from Debian 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work
# A layer's folder may be read-only.
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Podman of Debian 13 with all it needs, unpacked in a folder that becomes its root.
root=$work/root
mirror=${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
    head -n 1 | tr -d ' ' || true)}
mkdir -p "$work"/apt/etc/apt/{preferences,sources.list}.d "$work"/apt/var/{lib/apt/lists,cache/apt/archives}/partial
touch "$work/apt/status"
printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
    "${mirror:?set DEBIAN_MIRROR to a Debian mirror}" /usr/share/keyrings/debian-archive-keyring.gpg \
    >"$work/apt/etc/apt/sources.list.d/debian.sources"
apt=(apt-get -qq -o "Dir=$work/apt" -o "Dir::State::status=$work/apt/status" -o Debug::NoLocking=1 -o APT::Sandbox::User=)
"${apt[@]}" update
"${apt[@]}" install --download-only --no-install-recommends 'podman=5.4.2*' netavark
mkdir -p "$root"/usr/{bin,lib,lib64,sbin} "$root"/{dev,etc/containers,proc,run,sys/fs/cgroup,tmp,var/tmp}
for folder in bin lib lib64 sbin; do ln -s "usr/$folder" "$root/$folder"; done
for package in "$work"/apt/var/cache/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink --no-same-owner -C "$root"
done
printf '[storage]\ndriver = "vfs"\nrunroot = "/run/storage"\ngraphroot = "/var/storage"\n' >"$root/etc/containers/storage.conf"
printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >"$root/etc/containers/containers.conf"

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check podman==5.8.0 requests==2.34.2 urllib3==2.8.0

cat >"$work/ask.py" <<'EOF'
import importlib.metadata
import io
import pathlib
import sys
import tarfile
import time

import podman
import podman.errors

socket, context, tag = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
for _ in range(300):
    if socket.exists():
        break
    time.sleep(0.1)
with podman.PodmanClient(base_url=f"unix://{socket}") as client:
    print(f"podman-py {importlib.metadata.version('podman')}, Podman {client.version()['Version']}", file=sys.stderr)
    try:
        client.images.build(path=context, dockerfile="Dockerfile", tag=f"localhost/{tag}:1")
    except podman.errors.BuildError as exc:
        print(f"BuildError: {exc.msg.strip()}")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(context, arcname="")
    packed.seek(0)
    client.images.build(fileobj=packed, custom_context=True, dockerfile="Dockerfile", tag=f"localhost/{tag}-packed:1")
EOF

cat >"$work/session.sh" <<'EOF'
set -eu
root=$1 work=$2
# A mount point, as Podman needs for its root; in place of cgroups, which nothing here uses, an empty folder.
mount --bind "$root" "$root"
mount -t tmpfs none "$root/sys/fs/cgroup"
mount -t tmpfs none "$root/dev"
for device in null zero urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/shm"
mount -t tmpfs none "$root/dev/shm"
mount -t proc none "$root/proc"
inside() { env -i PATH=/usr/bin:/usr/sbin HOME=/tmp PODMAN_IGNORE_CGROUPSV1_WARNING=1 chroot "$root" "$@"; }
expect() {
    [ "$2" = "$3" ] || {
        echo "changed: $1: '$3' instead of '$2'" >&2
        exit 1
    }
}

inside podman --version
inside podman system service --time 0 unix:///run/podman.sock >"$work/podman.log" 2>&1 &
context=$root/tmp/context
mkdir -p "$context/docs"
printf 'FROM scratch\nCOPY . /app/\n' >"$context/Dockerfile"
touch "$context/app.py" "$context/README.md" "$context/NOTES.md" "$context/docs/guide.md"
# The files of an image, without those that say how it is built.
files() {
    inside podman image mount "localhost/$1:1" >"$root/tmp/mounted"
    (cd "$root$(cat "$root/tmp/mounted")/app" && find . -type f ! -name Dockerfile ! -name .dockerignore) |
        cut -c 3- | sort | paste -sd ' ' -
}
by_podman() { inside podman build --quiet --tag "localhost/$1:1" /tmp/context >/dev/null; }
by_podman_py() { HOME=$work "$work/venv/bin/python" "$work/ask.py" "$root/run/podman.sock" "$context" "$1"; }

printf '*.md\n!README.md\n' >"$context/.dockerignore"
by_podman podman
by_podman_py py
all=$(files podman)
some=$(files py)
packed=$(files py-packed)
echo "ignored: *.md, !README.md; podman build: $all; podman-py: $some; podman-py with a tar: $packed"
expect "podman build" "README.md app.py docs/guide.md" "$all"
expect "podman-py" "app.py" "$some"
expect "podman-py with a tar" "$all" "$packed"

printf '*\n!app.py\n' >"$context/.dockerignore"
by_podman only-podman
result=$(by_podman_py only-py)
all=$(files only-podman)
packed=$(files only-py-packed)
echo "ignored: *, !app.py; podman build: $all; podman-py: $result; podman-py with a tar: $packed"
expect "podman build" "app.py" "$all"
case $result in "BuildError: "*"/Dockerfile: no such file"*) ;; *) expect "podman-py" "no Dockerfile" "$result" ;; esac
expect "podman-py with a tar" "$all" "$packed"
echo "seen: podman-py built an image without README.md and docs/guide.md, which podman build takes"
EOF

namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
unshare "${namespaces[@]}" sh "$work/session.sh" "$root" "$work"
