#!/usr/bin/env bash
# Podman 5.4.2 (Debian 13): `podman cp -` reports a failure for a valid tar archive that ends with many zeros, although
# it copied all files.
#
# Expected: the archive is unpacked in the container, with exit code 0, as in Docker 20.10, however many zeros tar adds
# to fill its last record.
# Observed: with `tar -b 200` (records of 102,400 bytes) and above, `podman cp - CONTAINER:/` ends with exit code 125
# and "passing bulk input to subprocess: write |1: broken pipe", and the API's PUT archive answers 500. All files are in
# the container nevertheless. The process that unpacks ends at the two zero blocks that end an archive, while the zeros
# behind them are still written to it. A pipe holds 64 KiB of them. With fewer, such as those of tar's default records
# of 10,240 bytes, the copy fails only now and then, on a busy machine. Podman 4.3.1 and 5.8.6 fail too; 6.1.1 does not
# (https://github.com/containers/buildah/issues/6573).
#
# It matters because a script stops, or copies again, after a copy that succeeded. Nothing is wrong with such an archive
# for tar itself. Compressed, it is as small as any other, and fails with "short write".
#
# Advice: let no zeros follow the end: `tar -c -b 1 ... | podman cp - CONTAINER:/`. Unpack an archive that has them, and
# copy the folder: `podman cp FOLDER/. CONTAINER:/`. What a library wrote can be cut after the two zero blocks.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL), unshare. Runs as root, or as a user who
# may create namespaces, on Debian 12 or 13. Podman comes from Debian 13.
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

cat >"$work/put.py" <<'EOF'
import http.client
import pathlib
import socket
import sys
import time

path, container, archive = sys.argv[1:]
api = http.client.HTTPConnection("localhost")
api.sock = socket.socket(socket.AF_UNIX)
for _ in range(300):
    if api.sock.connect_ex(path) == 0:
        break
    time.sleep(0.1)
api.request("PUT", f"/v1.41/containers/{container}/archive?path=/", pathlib.Path(archive).read_bytes())
answer = api.getresponse()
print(answer.status, answer.read().decode().strip())
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
version=$(inside podman --version)
echo "$version"
mkdir "$work/files"
echo one >"$work/files/first"
echo two >"$work/files/last"
tar -c -b 1 -C "$work" put.py | inside podman import --quiet - localhost/app:1 >/dev/null
# A new container.
create() {
    inside podman rm --all >/dev/null
    inside podman create --name app --network none --pids-limit -1 localhost/app:1 /app >/dev/null
}
# The content of the files in the container.
copied() {
    folder=$root$(inside podman mount app)
    (cd "$folder" && cat first last) 2>&1 | paste -sd ' ' -
    inside podman umount app >/dev/null
}

for blocks in 1 200 2048; do
    archive=$work/$blocks.tar
    tar -c -b "$blocks" -f "$archive" -C "$work/files" first last
    expect "tar -t" "first last" "$(tar -tf "$archive" 2>&1 | paste -sd ' ' -)"
    create
    code=0
    inside podman cp - app:/ <"$archive" 2>"$work/error" || code=$?
    files=$(copied)
    echo "tar -b $blocks, $(stat -c %s "$archive") bytes: exit code $code, content of the files: $files"
    cat "$work/error"
    expect "content of the files" "one two" "$files"
    case $blocks:$code in
    1:*) expect "exit code with few zeros behind the end" 0 "$code" ;;
    *)
        expect "exit code with many zeros behind the end" 125 "$code"
        grep -q 'broken pipe' "$work/error" || expect "error" "broken pipe" "$(cat "$work/error")"
        ;;
    esac
done

echo "--- compressed"
create
code=0
gzip <"$work/200.tar" >"$work/200.tar.gz"
inside podman cp - app:/ <"$work/200.tar.gz" 2>"$work/error" || code=$?
files=$(copied)
echo "tar -b 200, $(stat -c %s "$work/200.tar.gz") bytes: exit code $code, content of the files: $files"
cat "$work/error"
expect "copy of a compressed archive" "125 one two" "$code $files"

echo "--- the API"
inside podman system service --time 0 unix:///run/podman.sock &
for blocks in 1 200; do
    create
    answer=$(python3 "$work/put.py" "$root/run/podman.sock" app "$work/$blocks.tar")
    files=$(copied)
    echo "tar -b $blocks: $answer, content of the files: $files"
    case $blocks:$answer in
    "1:200"* | "200:500"*"broken pipe"*) ;;
    *) expect "answer of the API to tar -b $blocks" "200 without zeros, 500 broken pipe with them" "$answer" ;;
    esac
    expect "content of the files" "one two" "$files"
done

echo "--- the archive of tar -b 200, unpacked"
create
mkdir "$root/tmp/unpacked"
tar -xf "$work/200.tar" -C "$root/tmp/unpacked"
code=0
inside podman cp /tmp/unpacked/. app:/ || code=$?
files=$(copied)
echo "podman cp FOLDER/.: exit code $code, content of the files: $files"
expect "copy of a folder" "0 one two" "$code $files"
echo "seen: $version said that a copy failed with a broken pipe, and had copied all files"
EOF

namespaces=(--mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
unshare "${namespaces[@]}" sh "$work/session.sh" "$root" "$work"
