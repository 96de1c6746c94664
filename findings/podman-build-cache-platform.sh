#!/usr/bin/env bash
# Podman 5.4.2 (Debian 13): a build for two platforms makes one image, if its files do not depend on the platform.
#
# Expected: `podman build --platform linux/amd64,linux/arm64` makes an image for each platform, also from the cache.
# Observed: with `FROM scratch` and the same files for both, the cache does not look at the platform, and the second
# build takes over the image of the first. The list has one entry, which can name a platform that its image is not for.
# All commands, the push too, end with exit code 0. `docker pull` finds no image for its platform; Podman warns and
# pulls one for another. In the same way, a plain build on an amd64 machine after one for arm64 makes an image for
# arm64. Podman 5.8.6 makes two images.
#
# It matters because images of configuration, web pages or operator bundles are built like this, and the missing image
# shows only on other people's machines.
#
# Advice: build for several platforms with `--no-cache` or `--layers=false`, and look at the list in the registry.
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
mkdir "$root/tmp/context"
printf 'FROM scratch\nCOPY page.html /page.html\n' >"$root/tmp/context/Dockerfile"
echo hello >"$root/tmp/context/page.html"
# The platforms of a tag in the registry, as its list has them and as the images themselves have them.
platforms() {
    python3 -c '
import json, sys, urllib.request

def get(path, media_type="*/*"):
    url = f"http://127.0.0.1:{sys.argv[1]}/v2/team/site/{path}"
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": media_type})) as answer:
        return json.load(answer)

for entry in get("manifests/" + sys.argv[2], "application/vnd.oci.image.index.v1+json")["manifests"]:
    config = get("manifests/" + entry["digest"], entry["mediaType"])["config"]["digest"]
    print(entry["platform"]["architecture"], "is", get("blobs/" + config)["architecture"])' "$port" "$1" | sort | paste -sd , -
}
# Build for two platforms with this tag and these options, and push.
release() {
    image=127.0.0.1:$port/team/site:$1
    shift
    inside podman build --quiet --platform linux/amd64,linux/arm64 --manifest "$image" "$@" /tmp/context >/dev/null
    inside podman manifest push --quiet "$image"
}

release 1
one=$(platforms 1)
echo "in the list of both platforms: $one"
case $one in
*,*) expect "images in the list" 1 2 ;;
"amd64 is amd64" | "amd64 is arm64" | "arm64 is amd64" | "arm64 is arm64") ;;
*) expect "images in the list" 1 "$one" ;;
esac

echo "--- built for one platform after the other"
inside podman rmi --all --force >/dev/null
for platform in arm64 s390x; do
    inside podman build --quiet --platform "linux/$platform" --tag "localhost/site:$platform" /tmp/context >/dev/null
    made=$(inside podman image inspect --format '{{.Architecture}}' "localhost/site:$platform")
    echo "built for $platform: image for $made"
    expect "image built for $platform" arm64 "$made"
done

echo "--- built without the cache"
release 2 --no-cache
both=$(platforms 2)
echo "in the list of both platforms: $both"
expect "images built without the cache" "amd64 is amd64,arm64 is arm64" "$both"
echo "seen: a build for two platforms made one image ($one), and a build for s390x made an image for arm64"
EOF

namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
unshare "${namespaces[@]}" sh "$work/session.sh" "$root" "$port"
