#!/usr/bin/env bash
# podman-py 5.8.0: push and pull spell one option in two ways, and each ignores the other spelling without an error.
#
# Expected: one spelling, and a TypeError for a keyword that a method does not know.
# Observed: `images.push` takes `tlsVerify`, `images.pull` takes `tls_verify`. Both methods accept any keyword, so the
# wrong one changes nothing, and the failure ("server gave HTTP response to HTTPS client") looks as if Podman ignored
# it. pull also sends its default, True, which overrides `insecure = true` in registries.conf: for a registry that
# Podman is configured to use over plain HTTP, push works without an option and pull fails.
#
# It matters because a registry on plain HTTP needs this option, and a program that works on one machine for push does
# not work there for pull.
#
# Advice: use `tlsVerify` for push and `tls_verify` for pull, and always give it to pull.
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
import urllib.error
import urllib.request

import podman
import podman.errors

socket, port = pathlib.Path(sys.argv[1]), sys.argv[2]


def wait_for(ready):
    for _ in range(300):
        if ready():
            return
        time.sleep(0.1)
    sys.exit("Podman or the registry did not start")


def answers():
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/").status == 200
    except urllib.error.URLError:
        return False


wait_for(socket.exists)
wait_for(answers)
client = podman.PodmanClient(base_url=f"unix://{socket}")
REFUSED = "refused: HTTP response to HTTPS client"


def tried(method, host, **option):
    """The outcome of a push or a pull with this option."""
    try:
        getattr(client.images, method)(f"{host}:{port}/team/app", tag="1", **option)
    except podman.errors.APIError as exc:
        reason = str(exc.explanation or exc)
        result = REFUSED if "HTTP response to HTTPS client" in reason else reason
    else:
        result = "done"
    arguments = ", ".join([f'"{host}"', *(f"{name}={value}" for name, value in option.items())])
    print(f"images.{method}({arguments}): {result}")
    return result


with client:
    print(f"podman-py {importlib.metadata.version('podman')}, Podman {client.version()['Version']}")
    seen = [
        tried("push", "localhost", tls_verify=False),
        tried("push", "localhost", tlsVerify=False),
        tried("pull", "localhost", tlsVerify=False),
        tried("pull", "localhost", tls_verify=False),
        # Only this name has an entry with `insecure = true`.
        tried("pull", "127.0.0.1"),
        tried("push", "127.0.0.1"),
    ]
if seen != [REFUSED, "done"] * 3:
    sys.exit("changed: push and pull agree, or an unknown keyword is an error")
print("seen: push ignores tls_verify, pull ignores tlsVerify, and without an option pull overrides `insecure = true`")
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

tar -c -C "$work" ask.py | inside podman import --quiet - "localhost:$port/team/app:1" >/dev/null
inside podman tag "localhost:$port/team/app:1" "127.0.0.1:$port/team/app:1"
inside docker-registry serve /etc/registry.yml >"$work/registry.log" 2>&1 &
inside podman system service --time 0 unix:///run/podman.sock >"$work/podman.log" 2>&1 &
"$work/venv/bin/python" "$work/ask.py" "$root/run/podman.sock" "$port"
EOF

namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
unshare "${namespaces[@]}" sh "$work/session.sh" "$root" "$work" "$port"
