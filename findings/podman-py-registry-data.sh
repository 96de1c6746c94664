#!/usr/bin/env bash
# podman-py 5.8.0: `images.get_registry_data` never asks the registry, and describes the image on this machine.
#
# Expected: the digest and the platforms that the registry has for a tag. docker-py has the same method, and asks.
# Observed: it returns what Podman knows of its own image of that name, and the registry gets no request. After someone
# has pushed a new image under the tag, the digest is still the old one. `has_platform` knows one platform where the
# registry has two. `id` is the ID of the image, not a digest. If there is no such image on the machine, the method
# raises ImageNotFound, although the registry has it.
#
# It matters because programs call this to see whether there is an update. With podman-py, they never find one.
#
# Advice: ask the registry: HEAD for /v2/NAME/manifests/TAG with the media types of images and indexes in Accept, and
# compare Docker-Content-Digest with the image's RepoDigests. Or pull, and compare the image's ID before and after.
#
# Needs: python3 with venv, a package index that pip is set up for, apt-get with a Debian mirror set up (or
# DEBIAN_MIRROR=URL), unshare. Runs as root, or as a user who may create namespaces, on Debian 12 or 13. Podman 5.4.2
# and Distribution 2.8.3 come from Debian 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work
# A layer's folder may be read-only.
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Podman and Distribution of Debian 13 with all they need, unpacked in a folder that becomes their root.
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
"${apt[@]}" install --download-only --no-install-recommends 'podman=5.4.2*' 'docker-registry=2.8.3*' netavark
mkdir -p "$root"/usr/{bin,lib,lib64,sbin} "$root"/{dev,etc/containers,proc,run,sys/fs/cgroup,tmp,var/tmp}
for folder in bin lib lib64 sbin; do ln -s "usr/$folder" "$root/$folder"; done
for package in "$work"/apt/var/cache/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink --no-same-owner -C "$root"
done
printf '[storage]\ndriver = "vfs"\nrunroot = "/run/storage"\ngraphroot = "/var/storage"\n' >"$root/etc/containers/storage.conf"
printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >"$root/etc/containers/containers.conf"
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: /var/registry}}\nhttp: {addr: "127.0.0.1:%s"}\n' "$port" \
    >"$root/etc/registry.yml"
printf '[[registry]]\nlocation = "127.0.0.1:%s"\ninsecure = true\n' "$port" >"$root/etc/containers/registries.conf"

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check podman==5.8.0 requests==2.34.2 urllib3==2.8.0

cat >"$work/ask.py" <<'EOF'
import importlib.metadata
import pathlib
import sys
import time
import urllib.request

import podman
import podman.errors

socket, log, port = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
TYPES = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
NAME = f"127.0.0.1:{port}/team/app:1"


def in_registry():
    """The digest that the registry has for the tag."""
    url = f"http://127.0.0.1:{port}/v2/team/app/manifests/1"
    with urllib.request.urlopen(urllib.request.Request(url, method="HEAD", headers={"Accept": TYPES})) as answer:
        return answer.headers["Docker-Content-Digest"]


def expect(what, expected, seen):
    if seen != expected:
        sys.exit(f"changed: {what}: {seen!r} instead of {expected!r}")


for _ in range(300):
    if socket.exists():
        break
    time.sleep(0.1)
with podman.PodmanClient(base_url=f"unix://{socket}") as client:
    print(f"podman-py {importlib.metadata.version('podman')}, Podman {client.version()['Version']}")
    local = client.images.get(NAME)
    digest = in_registry()
    known = [name.partition("@")[2] for name in local.attrs["RepoDigests"]]
    lines = log.read_text().count("/v2/team/app/")
    data = client.images.get_registry_data(NAME)
    requests = log.read_text().count("/v2/team/app/") - lines
    listed = [name.partition("@")[2] for name in data.attrs["RepoDigests"]]
    platforms = [data.has_platform(platform) for platform in ("linux/amd64", "linux/arm64")]
    print(f"in the registry: {digest}, for linux/amd64 and linux/arm64")
    print(f"get_registry_data: {', '.join(listed)}; has_platform for these: {platforms}; requests: {requests}")
    expect("the digest of the registry is known", False, digest in known or digest in listed)
    expect("digests", known, listed)
    expect("id", local.id, data.id)
    expect("platforms", [False, True], sorted(platforms))
    expect("requests to the registry", 0, requests)
    client.images.remove(NAME, force=True)
    try:
        client.images.get_registry_data(NAME)
    except podman.errors.ImageNotFound as exc:
        print(f"without the image on this machine: ImageNotFound: {exc.explanation}".replace(port, "PORT"))
    else:
        sys.exit("changed: an image that is not on this machine is found")
print("seen: get_registry_data gave the old digest and one platform of two, and did not ask the registry")
EOF

cat >"$work/session.sh" <<'EOF'
set -eu
root=$1 work=$2 port=$3
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
inside docker-registry serve /etc/registry.yml >"$root/tmp/registry.log" 2>&1 &
python3 -c '
import socket, sys, time
for _ in range(300):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
        break
    except ConnectionRefusedError:
        time.sleep(0.1)' "$port"

image=127.0.0.1:$port/team/app:1
mkdir "$root/tmp/context"
printf 'FROM scratch\nCOPY hello /hello\n' >"$root/tmp/context/Dockerfile"
# Build an image or a list with this content and these options.
build() {
    echo "$1" >"$root/tmp/context/hello"
    shift
    inside podman build --quiet --no-cache "$@" /tmp/context >/dev/null
}
# An image of this machine, and a new one for two platforms, pushed under the same tag as others would do.
build old --platform linux/amd64 --tag "$image"
inside podman push --quiet "$image"
build new --platform linux/amd64,linux/arm64 --manifest localhost/new:1
inside podman manifest push --quiet localhost/new:1 "docker://$image"
inside podman system service --time 0 unix:///run/podman.sock >"$work/podman.log" 2>&1 &
HOME=$work "$work/venv/bin/python" "$work/ask.py" "$root/run/podman.sock" "$root/tmp/registry.log" "$port"
EOF

namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
unshare "${namespaces[@]}" sh "$work/session.sh" "$root" "$work" "$port"
