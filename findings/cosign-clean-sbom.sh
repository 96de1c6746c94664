#!/usr/bin/env bash
# cosign 2.5.0 (Debian 13): `cosign clean` of one image removes the SBOM of another image, if both have the same SBOM.
#
# Expected: `cosign clean` removes what is attached to the image that it names, and nothing of another image.
# Observed: cosign stores an SBOM under the tag `sha256-DIGEST.sbom`. Two images with the same SBOM (two platforms, or a
# new build with the same packages) get two tags of one manifest. Distribution 2.8.3 deletes by digest, and with it all
# tags of that digest. cosign looks up the digest and deletes it. It says that it removed the SBOM of the first image.
# That of the second is gone as well, without a word and with exit code 0.
#
# It matters because a clean-up of old images removes the SBOMs of the images in use, and this shows only when they
# are asked for. Signatures name the digest of their image, so they are never the same.
#
# Advice: before you clean, compare the digests of all `sha256-*.sbom` tags of the repository. Or attest the SBOM: an
# attestation names its image.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL). Runs as any user on Debian 12 or 13.
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
"${apt[@]}" install --download-only --no-install-recommends 'cosign=2.5.0*' 'docker-registry=2.8.3*'
root=$work/root
for package in "$work"/apt/var/cache/apt/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
loader=("$root"/usr/lib/*/ld-linux-*.so.*)
# Started by Debian 13's own loader, they also run on an older Debian.
start() {
    local program=$1
    shift
    "${loader[0]}" --library-path "$(echo "$root"/usr/lib/*-linux-gnu)" "$root/usr/bin/$program" "$@"
}

cd "$work"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s/data}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:%s"}\n' \
    "$work" "$port" >config.yml
"$root/usr/bin/docker-registry" --version
"$root/usr/bin/docker-registry" serve config.yml >registry.log 2>&1 &
registry=$!
cosign() { start cosign "$@" 2>&1; }
basename "$work"/apt/var/cache/apt/archives/cosign_*.deb

cat >ask.py <<'EOF'
import hashlib
import http.client
import json
import sys
import time

PORT = int(sys.argv[1])
OCI = "application/vnd.oci.image"


def ask(method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.read(), response.headers


def push(tag):
    """Push an image for this tag, and nothing but its configuration in it."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"version": tag}}}).encode()
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    place = ask("POST", "/v2/team/app/blobs/uploads/")[2]["Location"]
    status, _, _ = ask("PUT", f"{place}&digest={digest}", config)
    assert status == 201, status
    media_type = f"{OCI}.manifest.v1+json"
    described = {"mediaType": f"{OCI}.config.v1+json", "digest": digest, "size": len(config)}
    manifest = {"schemaVersion": 2, "mediaType": media_type, "config": described, "layers": []}
    status, _, _ = ask("PUT", f"/v2/team/app/manifests/{tag}", json.dumps(manifest), Content_Type=media_type)
    assert status == 201, status


for _ in range(300):
    try:
        ask("GET", "/v2/")
        break
    except ConnectionRefusedError:
        time.sleep(0.1)
if sys.argv[2:] == ["push"]:
    push("old")
    push("new")
tags = json.loads(ask("GET", "/v2/team/app/tags/list")[1])["tags"]
print(sum(tag.endswith(".sbom") for tag in tags), "SBOMs, images:", *sorted(tag for tag in tags if "-" not in tag))
EOF
tags() { python3 ask.py "$port" "$@"; }
expect() {
    [ "$2" = "$3" ] || {
        echo "changed: $1: '$3' instead of '$2'" >&2
        exit 1
    }
}
# The exit code of a download of the SBOM.
downloaded() {
    local code=0
    cosign download sbom --allow-http-registry "$repository:$1" >download.log || code=$?
    echo "$code"
}

repository=127.0.0.1:$port/team/app
tags push
echo '{"spdxVersion": "SPDX-2.3", "name": "app", "packages": []}' >app.spdx.json
for tag in old new; do
    cosign attach sbom --allow-http-registry --type spdx --input-format json --sbom app.spdx.json "$repository:$tag" >attach.log
done
before=$(tags)
echo "$before; exit code of cosign download sbom for \`new\`: $(downloaded new)"
expect "tags" "2 SBOMs, images: new old" "$before"
expect "download of the SBOM" 0 "$(downloaded new)"
echo "--- cosign clean of \`old\`"
cosign clean --allow-http-registry --force --type sbom "$repository:old" | sed -E 's/[0-9a-f]{56}/.../g'
after=$(tags)
echo "$after; exit code of cosign download sbom for \`new\`: $(downloaded new)"
expect "tags" "0 SBOMs, images: new old" "$after"
expect "download of the SBOM" 1 "$(downloaded new)"
echo "seen: cosign clean of one image removed the SBOMs of two"
