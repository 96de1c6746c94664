#!/usr/bin/env bash
# Podman 5.4.2 (Debian 13): when `podman build --manifest` is repeated after a change, clients go on getting the old
# image.
#
# Expected: the second build replaces the image in the list, as `podman build --tag` replaces the image of a tag.
# Observed: each build adds an image, and the list has two for the same platform, the old one first. `podman manifest
# push` pushes both. Podman and Docker 26.1 pull the first that fits their platform, which is the old image. All
# commands end with exit code 0. Podman 5.8.6 builds such a list too.
#
# It matters because `--manifest` is Podman's option for images of several platforms. A fix is built and pushed without
# an error, and nobody gets it until the list is removed.
#
# Advice: remove the list before each build: `podman manifest rm NAME`. Afterwards, look in `podman manifest inspect
# NAME` for a platform that is there twice.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL), unshare. Runs as root, or as a user who
# may create namespaces, on Debian 12 or 13. Podman and Distribution 2.8.3 come from Debian 13.
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

cat >"$work/session.sh" <<'EOF'
set -eu
root=$1 port=$2
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
inside docker-registry serve /etc/registry.yml >"$root/tmp/registry.log" 2>&1 &
python3 -c '
import socket, sys, time
for _ in range(300):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1]))).close()
        break
    except ConnectionRefusedError:
        time.sleep(0.1)' "$port"

inside podman --version
inside docker-registry --version
image=127.0.0.1:$port/team/app:1
mkdir "$root/tmp/context"
printf 'FROM scratch\nCOPY hello /hello\n' >"$root/tmp/context/Dockerfile"
# Build an image with this content, and push its list.
release() {
    echo "$1" >"$root/tmp/context/hello"
    inside podman build --quiet --manifest "$image" /tmp/context >/dev/null
    inside podman manifest push --quiet "$image"
}
# The platforms of the images in the list that the registry has.
platforms() {
    python3 -c '
import json, sys, urllib.request
index = "application/vnd.oci.image.index.v1+json"
url = f"http://127.0.0.1:{sys.argv[1]}/v2/team/app/manifests/1"
with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": index})) as answer:
    images = json.load(answer)["manifests"]
platforms = [image["platform"]["os"] + "/" + image["platform"]["architecture"] for image in images]
print(len(platforms), "for", *sorted(set(platforms)))' "$port"
}
# What a client gets that has nothing of this image.
pulled() {
    inside podman rmi --all --force >/dev/null
    inside podman pull --quiet "$image" >/dev/null
    inside podman image mount "$image" >"$root/tmp/mounted"
    cat "$root$(cat "$root/tmp/mounted")/hello"
    inside podman rmi --all --force >/dev/null
}

release "first release"
release "second release"
twice=$(platforms)
echo "images in the list after two builds: $twice"
case $twice in "2 for linux/"*) ;; *) expect "images in the list" "2 for linux/..." "$twice" ;; esac
content=$(pulled)
echo "content of the image that a client pulls: $content"
expect "the pulled image" "first release" "$content"

echo "--- the list is removed before the build"
release "first release"
inside podman manifest rm "$image" >/dev/null
release "second release"
once=$(platforms)
echo "images in the list: $once"
case $once in "1 for linux/"*) ;; *) expect "images in the list" "1 for linux/..." "$once" ;; esac
expect "the pulled image" "second release" "$(pulled)"
echo "seen: after two builds of the same list, a client pulled the image of the first"
EOF

namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
unshare "${namespaces[@]}" sh "$work/session.sh" "$root" "$port"
