#!/usr/bin/env bash
# Podman 5.4.2 (Debian 13): part of a name is enough to remove a volume, also through Docker's API.
#
# Expected: a name that no volume has is an error, as in Docker.
# Observed: `podman volume rm registry` removes `registry-data` if no volume is called `registry` and only one begins
# like that. `podman volume exists registry` says before that there is none. docker-py's `remove_volume("registry")`
# removes `registry-data` too. Images are found by the last parts of their name: `podman rmi registry:2.8.3` removes
# `localhost:5000/mirror/registry:2.8.3`.
#
# It matters because a clean-up that runs twice, or before the volume was made, deletes the data of another registry.
# A script that asks `podman image exists registry:2.8.3` may go on with an image from a different registry.
#
# Advice: before you remove a volume, compare the name from `inspect` with the one you asked for, or ask
# `podman volume exists`. Write image names in full: `docker.io/library/registry:2.8.3`.
#
# Needs: python3 with venv, a package index that pip is set up for, apt-get with a Debian mirror set up (or
# DEBIAN_MIRROR=URL), unshare. Runs as root, or as a user who may create namespaces, on Debian 12 or 13.
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
"$work/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check docker==7.2.0 requests==2.34.2 urllib3==2.8.0

cat >"$work/ask.py" <<'EOF'
import pathlib
import sys
import time

import docker
import docker.errors

SOCKET = pathlib.Path(sys.argv[1])
for _ in range(300):
    if SOCKET.exists():
        break
    time.sleep(0.1)
client = docker.APIClient(f"unix://{SOCKET}")
client.remove_volume("registry")
print(f"docker-py {docker.__version__}: remove_volume('registry') succeeded")
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
p() { env -i PATH=/usr/bin:/usr/sbin HOME=/tmp PODMAN_IGNORE_CGROUPSV1_WARNING=1 chroot "$root" podman "$@"; }
expect() {
    [ "$2" = "$3" ] || {
        echo "changed: $1: '$3' instead of '$2'" >&2
        exit 1
    }
}

version=$(p --version)
echo "$version"
p volume create registry-data >/dev/null
exists=0
p volume exists registry || exists=$?
inspected=$(p volume inspect registry --format '{{.Name}}')
removed=$(p volume rm registry)
left=$(p volume ls --quiet)
echo "the only volume is registry-data; podman volume exists registry: exit code $exists"
echo "podman volume inspect registry: $inspected; podman volume rm registry: $removed; left: '$left'"
expect "volume exists" 1 "$exists"
expect "volume inspect" registry-data "$inspected"
expect "volumes left by volume rm" "" "$left"

p volume create registry-data >/dev/null
p system service --time 0 unix:///run/podman.sock &
"$work/venv/bin/python" "$work/ask.py" "$root/run/podman.sock"
left=$(p volume ls --quiet)
expect "volumes left by docker-py" "" "$left"

image=localhost:5000/mirror/registry:2.8.3
tar -c -C "$work" ask.py | p import --quiet - "$image" >/dev/null
exists=0
p image exists registry:2.8.3 || exists=$?
removed=$(p rmi registry:2.8.3)
echo "the only image is $image; podman image exists registry:2.8.3: exit code $exists"
echo "podman rmi registry:2.8.3: $removed" | tr '\n' ' '
echo
expect "image exists" 0 "$exists"
case $removed in "Untagged: $image"*) ;; *) expect "rmi" "Untagged: $image" "$removed" ;; esac
echo "seen: $version removed registry-data when asked for registry, and took $image for registry:2.8.3"
EOF

namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
unshare "${namespaces[@]}" sh "$work/session.sh" "$root" "$work"
