#!/usr/bin/env bash
# Docker 26.1.5 (Debian 13): a reload does not take back a setting that was removed from daemon.json.
#
# Expected: after SIGHUP (`systemctl reload docker`), Docker works as daemon.json says, and as it would after a restart.
# Observed: `insecure-registries`, `registry-mirrors` and `debug` that were removed from the file stay in force until
# Docker restarts, while its log says "Reloaded configuration". Only a value in the file replaces another value: with
# an empty list, the reload takes the entries back.
#
# It matters because a tool, or a person, that removes its own entry and reloads Docker believes that the machine is as
# before. What fails without the entry fails days later, after a restart. If it was the only key, the file is `{}` again
# and nothing on the disk tells where Docker's setting comes from.
#
# Advice: restart Docker, or reload it once with the default spelled out before you remove a key: `[]` for the mirrors, and
# `["127.0.0.0/8", "::1/128"]` for the registries. `docker info` shows what is in force.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL), unshare. Runs as root, or
# as a user who may create namespaces, on Debian 12 or 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Docker of Debian 13 with all it needs, unpacked in a folder that becomes its root.
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
"${apt[@]}" install --download-only --no-install-recommends 'docker.io=26.1.5*' docker-cli
mkdir -p "$root"/usr/{bin,lib,lib64,sbin} "$root"/{dev,etc/docker,proc,run,sys,tmp,var/{lib,run,tmp}}
for folder in bin lib lib64 sbin; do ln -s "usr/$folder" "$root/$folder"; done
for package in "$work"/apt/var/cache/apt/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink --no-same-owner -C "$root"
done
printf '127.0.0.1 localhost\n' >"$root/etc/hosts"
printf 'root:x:0:0::/tmp:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\n' >"$root/etc/group"

cat >"$work/session.sh" <<'EOF2'
set -eu
root=$1
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
# The networks and mirrors that are in force, and whether Docker debugs.
in_force() {
    in_root docker info --format '{{json .RegistryConfig}}' 2>/dev/null >"$root/tmp/info"
    in_root docker info --format 'debug={{.Debug}}' 2>/dev/null >>"$root/tmp/info"
    python3 - "$root/tmp/info" <<'PYTHON'
import json
import sys

config, debug = open(sys.argv[1]).read().splitlines()
config = json.loads(config)
print(*sorted(config["InsecureRegistryCIDRs"]), *config["Mirrors"] or [], debug)
PYTHON
}
# Docker has read a daemon.json with this content, and says what is in force.
reloaded_with() {
    local before
    before=$(grep -c 'Reloaded configuration' "$root/tmp/dockerd.log" || true)
    echo "$1" >"$root/etc/docker/daemon.json"
    kill -HUP "$docker"
    for _ in $(seq 100); do
        [ "$(grep -c 'Reloaded configuration' "$root/tmp/dockerd.log" || true)" -eq "$before" ] || break
        sleep 0.1
    done
    echo "daemon.json: $1" >&2
    in_force >"$root/tmp/in-force"
    cat "$root/tmp/in-force" >&2
    cat "$root/tmp/in-force"
}

echo '{}' >"$root/etc/docker/daemon.json"
$in_root dockerd --storage-driver vfs --bridge none --iptables=false --ip6tables=false --ip-forward=false \
    >"$root/tmp/dockerd.log" 2>&1 &
docker=$!
for _ in $(seq 300); do
    ! in_root docker version >/dev/null 2>&1 || break
    sleep 0.1
done
in_root docker version --format 'Docker {{.Server.Version}}'
usual='127.0.0.0/8 debug=false'
given='127.0.0.0/8 192.0.2.0/24 https://mirror.example/ debug=true'
expect "as it starts" "$usual" "$(in_force)"
settings='"insecure-registries": ["192.0.2.0/24"], "registry-mirrors": ["https://mirror.example"], "debug": true'
expect "with the settings" "$given" "$(reloaded_with "{$settings}")"
expect "without the settings" "$given" "$(reloaded_with '{}')"
expect "with empty lists" "$usual" \
    "$(reloaded_with '{"insecure-registries": [], "registry-mirrors": [], "debug": false}')"
kill "$docker"
wait
echo "seen: settings that were removed from daemon.json stayed in force after a reload"
EOF2
namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
unshare "${namespaces[@]}" sh "$work/session.sh" "$root"
