#!/usr/bin/env bash
# containerd 1.7.24 (Debian 13): a hosts.toml with nothing but a `server` is dropped, and upstream is asked instead.
#
# Expected: containerd's documentation says that `server = "http://mirror"` alone uses the mirror, and that upstream is
# not asked at all.
# Observed: containerd drops a file without a `host` table. One line in its log says `failed to decode hosts.toml`,
# without the path. The pull then goes to upstream, and ends with exit code 0. An empty `[host]` in the file, after
# `server`, makes it work as documented. The same holds for a file that has only `ca` or `skip_verify`.
#
# It matters because this file is meant for machines that may pull from the mirror only: they pull from upstream as long
# as that can be reached. If it cannot, the error names upstream, and nothing says that a file was dropped. All releases
# 1.5 to 1.7.31 do this; 1.7.32 and 2.0 do not.
#
# Advice: end each hosts.toml without hosts with an empty `[host]` table.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL). Runs as any user on Debian 12 or 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work HOME=$work
servers=
trap '[ -z "$servers" ] || kill "$servers"; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# A program of Debian 13 with all it needs, unpacked and not installed.
mirror=${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
    head -n 1 | tr -d ' ' || true)}
mkdir -p "$work"/apt/etc/apt/{preferences,sources.list}.d "$work"/apt/var/{lib/apt/lists,cache/apt/archives}/partial
touch "$work/apt/status"
printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
    "${mirror:?set DEBIAN_MIRROR to a Debian mirror}" /usr/share/keyrings/debian-archive-keyring.gpg \
    >"$work/apt/etc/apt/sources.list.d/debian.sources"
apt=(apt-get -qq -o "Dir=$work/apt" -o "Dir::State::status=$work/apt/status" -o Debug::NoLocking=1 -o APT::Sandbox::User=)
"${apt[@]}" update
"${apt[@]}" install --download-only --no-install-recommends 'containerd=1.7.24*'
root=$work/root
for package in "$work"/apt/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
loader=("$root"/usr/lib/*/ld-linux-*.so.*)
# Started by Debian 13's own loader, it also runs on an older Debian.
ctr() { "${loader[0]}" --library-path "$(echo "$root"/usr/lib/*-linux-gnu)" "$root/usr/bin/ctr" "$@"; }
expect() {
    [ "$2" = "$3" ] || {
        echo "changed: $1: '$3' instead of '$2'" >&2
        exit 1
    }
}

cd "$work"
ctr --version

# Two registries with one image each, whose manifest says where it is from.
cat >registries.py <<'EOF'
import hashlib
import json
import pathlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(name):
    manifest = json.dumps({"schemaVersion": 2, "annotations": {"from": name}}).encode()

    class Registry(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
            self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(manifest).hexdigest())
            self.send_header("Content-Length", str(len(manifest)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(manifest)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever).start()
    pathlib.Path(f"{name}.new").write_text(str(server.server_port))
    pathlib.Path(f"{name}.new").rename(name)


serve("upstream")
serve("mirror")
EOF
python3 registries.py &
servers=$!
for _ in $(seq 100); do
    [ ! -e mirror ] || break
    sleep 0.1
done
upstream=127.0.0.1:$(cat upstream)
folder=certs.d/$upstream
mkdir -p "$folder"
# Where the image came from, and the exit code.
pulled() {
    local code=0
    ctr content fetch-object --plain-http --hosts-dir certs.d "$upstream/team/app:1" >pulled.json 2>log || code=$?
    echo "$(python3 -c 'import json; print(json.load(open("pulled.json"))["annotations"]["from"])'), exit code $code"
}

echo "server = \"http://127.0.0.1:$(cat mirror)\"" >"$folder/hosts.toml"
echo "--- hosts.toml: server"
found=$(pulled)
echo "pulled from $found"
grep -m 1 -oE 'msg=.*' log
expect "pulled from" "upstream, exit code 0" "$found"
printf '\n[host]\n' >>"$folder/hosts.toml"
echo "--- hosts.toml: server and an empty [host]"
found=$(pulled)
echo "pulled from $found"
expect "pulled from" "mirror, exit code 0" "$found"
echo "seen: containerd dropped a hosts.toml that has only a server, and pulled from upstream"
