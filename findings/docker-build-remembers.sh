#!/usr/bin/env bash
# Docker 26.1.5 (Debian 13): `docker build` goes on with the protocol that a registry spoke before, where `docker pull`
# notices the change.
#
# Expected: a registry on localhost gets TLS instead of plain HTTP. `docker pull` works as before, and so does a build
# from an image of it.
# Observed: each build from an image of a repository that was built from before fails with "400 Bad Request", because
# BuildKit goes on with plain HTTP. A build from another repository of the same registry works, also if its image is the
# same. BuildKit keeps for each repository how it reached the registry, and drops that some minutes later: five, with
# Docker 28.5 and either of its image stores. The same holds after a failure: when the authority of a registry's
# certificate is put into `certs.d`, `docker pull` works at once, and a build that failed before goes on failing.
#
# It matters because one correct change seems to have no effect, or to break builds alone. A person then changes
# something else, and believes later that this helped.
#
# Advice: after a change of how a registry is reached, restart Docker, or wait ten minutes before a build is tried again.
# A build from another repository of the registry tells at once whether the change is right.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL), unshare. Runs as root, or
# as a user who may create namespaces, on Debian 12 or 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Docker and a registry of Debian 13 with all they need, unpacked in a folder that becomes their root.
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
"${apt[@]}" install --download-only --no-install-recommends \
    'docker.io=26.1.5*' docker-cli 'docker-buildx=0.13.1*' 'docker-registry=2.8.3*' openssl
mkdir -p "$root"/usr/{bin,lib,lib64,sbin} "$root"/{dev,etc/docker,proc,run,sys,tmp,var/{lib,run,tmp}}
for folder in bin lib lib64 sbin; do ln -s "usr/$folder" "$root/$folder"; done
for package in "$work"/apt/var/cache/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink --no-same-owner -C "$root"
done
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
printf 'root:x:0:0::/tmp:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

cat >"$work/session.sh" <<'EOF2'
set -eu
root=$1 port=$2 registry=
mount -t tmpfs none "$root/dev"
for device in null zero urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t tmpfs none "$root/run"
mount -t proc none "$root/proc"
mount --rbind /sys "$root/sys"
# A program in the background is not run by a function, so that its process is the one that can be killed.
in_root="env -i PATH=/usr/bin:/usr/sbin HOME=/tmp LANG=C.UTF-8 chroot $root"
in_root() { $in_root "$@"; }
expect() {
    [ "$2" = "$3" ] || {
        echo "changed: $1: '$3' instead of '$2'" >&2
        exit 1
    }
}
until_it_answers() {
    for _ in $(seq 300); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.1
    done
    tail -n 5 "$root/tmp/dockerd.log" >&2
    return 1
}
start_docker() {
    $in_root dockerd --storage-driver vfs --bridge none --iptables=false --ip6tables=false --ip-forward=false \
        >"$root/tmp/dockerd.log" 2>&1 &
    docker=$!
    until_it_answers in_root docker version
}
# Its settings after the address are the argument.
start_registry() {
    [ -z "$registry" ] || { kill "$registry"; wait "$registry" 2>/dev/null || true; }
    printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: /var/registry}}\nhttp: {addr: "127.0.0.1:%s"%s}\n' \
        "$port" "$1" >"$root/tmp/config.yml"
    $in_root docker-registry serve /tmp/config.yml >"$root/tmp/registry.log" 2>&1 &
    registry=$!
    until_it_answers python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))"
}
# How a build from an image ends.
built() {
    printf 'FROM localhost:%s/%s:1\nCOPY hello /hello\n' "$port" "$1" >"$root/tmp/context/Dockerfile"
    if in_root docker build --pull --no-cache --progress plain /tmp/context >"$root/tmp/build.log" 2>&1; then
        echo works
    else
        grep -E '^ERROR' "$root/tmp/build.log" >&2
        grep -m 1 -oE '400 Bad Request' "$root/tmp/build.log"
    fi
}

mkdir "$root/tmp/context"
echo hello >"$root/tmp/context/hello"
in_root openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout /tmp/key.pem -out /tmp/cert.pem 2>/dev/null
start_docker
in_root docker version --format 'Docker {{.Server.Version}}'
in_root docker buildx version
in_root docker-registry --version
start_registry ''
printf 'FROM scratch\nCOPY hello /hello\n' >"$root/tmp/context/Dockerfile"
for name in app other; do
    in_root docker build --quiet --tag "localhost:$port/$name:1" /tmp/context >/dev/null
    in_root docker push --quiet "localhost:$port/$name:1"
done
echo "--- the registry speaks plain HTTP"
expect "build from app" works "$(built app)"

echo "--- the registry speaks TLS"
start_registry ', tls: {certificate: /tmp/cert.pem, key: /tmp/key.pem}'
in_root docker pull --quiet "localhost:$port/app:1"
expect "build from app" "400 Bad Request" "$(built app)"
expect "build from other" works "$(built other)"

echo "--- Docker is restarted"
kill "$docker"
wait "$docker" 2>/dev/null || true
start_docker
expect "build from app" works "$(built app)"
kill "$docker" "$registry"
wait
echo "seen: docker build used plain HTTP for a repository whose registry has TLS by now, and docker pull did not"
EOF2
namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
unshare "${namespaces[@]}" sh "$work/session.sh" "$root" "$port"
