#!/usr/bin/env bash
# oras 1.2.0 (Debian 13): `--ca-file` has no effect for a registry at `localhost`, which is always asked over plain HTTP.
#
# Expected: oras uses TLS, because `--ca-file` names the authority of the registry's certificate, and `--plain-http` is
# false by default.
# Observed: `oras manifest fetch --ca-file ca.crt localhost:5000/app:1` ends with "400 Bad Request", because the
# registry with TLS gets plain HTTP. The same command works with `127.0.0.1:5000`, and with `localhost:5000` if the
# default is spelled out: `--plain-http=false`. The error names no cause; that the URL in it begins with `http:` is all
# that tells.
#
# It matters because `localhost` is the name that a certificate for a local registry has, and that `docker push`,
# `skopeo` and `crane` use with the same certificate. The options of oras say nothing of `localhost`.
#
# Advice: for a registry with TLS on this machine, always add `--plain-http=false`.
#
# Needs: python3 with venv, a package index that pip is set up for, apt-get with a Debian mirror set up (or
# DEBIAN_MIRROR=URL). Runs as any user on Debian 12 or 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work HOME=$work
registry=
trap '[ -z "$registry" ] || kill "$registry"; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# Two programs of Debian 13 with all they need, unpacked and not installed.
mirror=${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
    head -n 1 | tr -d ' ' || true)}
mkdir -p "$work"/apt/etc/apt/{preferences,sources.list}.d "$work"/apt/var/{lib/apt/lists,cache/apt/archives}/partial
touch "$work/apt/status"
printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
    "${mirror:?set DEBIAN_MIRROR to a Debian mirror}" /usr/share/keyrings/debian-archive-keyring.gpg \
    >"$work/apt/etc/apt/sources.list.d/debian.sources"
apt=(apt-get -qq -o "Dir=$work/apt" -o "Dir::State::status=$work/apt/status" -o Debug::NoLocking=1 -o APT::Sandbox::User=)
"${apt[@]}" update
"${apt[@]}" install --download-only --no-install-recommends 'docker-registry=2.8.3*' 'oras=1.2.0*'
root=$work/root
for package in "$work"/apt/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
loader=("$root"/usr/lib/*/ld-linux-*.so.*)
# Started by Debian 13's own loader, it also runs on an older Debian.
oras() { "${loader[0]}" --library-path "$(echo "$root"/usr/lib/*-linux-gnu)" "$root/usr/bin/oras" "$@"; }
expect() {
    [ "$2" = "$3" ] || {
        echo "changed: $1: '$3' instead of '$2'" >&2
        exit 1
    }
}

cd "$work"
oras version | grep Version
"$root/usr/bin/docker-registry" --version
python3 -m venv venv
venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check trustme==1.2.1 cryptography==45.0.7
venv/bin/python - <<'PYTHON'
import trustme

ca = trustme.CA()
ca.cert_pem.write_to_path("ca.crt")
ca.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path("server.pem")
PYTHON
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >config.yml <<CONFIG
version: 0.1
storage: {filesystem: {rootdirectory: $work/data}}
http: {addr: "127.0.0.1:$port", tls: {certificate: $work/server.pem, key: $work/server.pem}}
CONFIG
"$root/usr/bin/docker-registry" serve config.yml >registry.log 2>&1 &
registry=$!
for _ in $(seq 100); do
    ! python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null || break
    sleep 0.1
done

echo hello >hello.txt
oras push --ca-file ca.crt "127.0.0.1:$port/app:1" hello.txt >/dev/null
# The exit code, and the last line.
fetched() {
    local code=0
    oras manifest fetch --descriptor --ca-file ca.crt "$@" >fetched 2>&1 || code=$?
    echo "\$ oras manifest fetch --descriptor --ca-file ca.crt $* [exit code $code]" >&2
    printf '%s\n' "$(tail -n 1 fetched)" >&2
    grep -m 1 -oE '400: Bad Request|mediaType' fetched
}
expect "localhost" "400: Bad Request" "$(fetched "localhost:$port/app:1")"
expect "127.0.0.1" mediaType "$(fetched "127.0.0.1:$port/app:1")"
expect "localhost with the default spelled out" mediaType "$(fetched --plain-http=false "localhost:$port/app:1")"
echo "seen: oras asked localhost over plain HTTP in spite of --ca-file, unless it was given --plain-http=false"
