#!/usr/bin/env bash
# Distribution 2.8.3 (docker-registry in Debian 13): pushing an image again makes pulls of it fail, even by digest.
#
# Expected: a push of an image that the registry has disturbs no one. A pull of `latest` during a push of `latest` gets
# the old image or the new one, and a digest always gets its image.
# Observed: some pulls get `500 UNKNOWN`, with "invalid checksum digest format" in the registry's log. Giving an image a
# second tag is enough to disturb pulls of it by digest. A push rewrites small files that hold a digest, one for the tag
# and one for the manifest. The filesystem driver empties each before it writes it, and a reader in between finds no
# digest. Pushes of other images do no harm.
#
# It matters because builds and deployments then fail without a visible reason, and pinning the digest does not help. A
# tool that lists the registry reports broken tags that are not broken.
#
# Advice: repeat a request for a manifest that is answered with 500. Before you push, ask with HEAD whether the tag has
# the digest already.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL). Runs as any user on Debian 12 or 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work
registry=
cleanup() {
    [ -z "$registry" ] || kill "$registry" 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# One package of Debian 13, unpacked and not installed.
mirror=${DEBIAN_MIRROR:-$(grep -rhoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null |
    head -n 1 | tr -d ' ' || true)}
mkdir -p "$work"/apt/etc/apt/{preferences,sources.list}.d "$work"/apt/var/{lib/apt/lists,cache/apt/archives}/partial
touch "$work/apt/status"
printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
    "${mirror:?set DEBIAN_MIRROR to a Debian mirror}" /usr/share/keyrings/debian-archive-keyring.gpg \
    >"$work/apt/etc/apt/sources.list.d/debian.sources"
apt=(apt-get -qq -o "Dir=$work/apt" -o "Dir::State::status=$work/apt/status" -o Debug::NoLocking=1 -o APT::Sandbox::User=)
"${apt[@]}" update
(cd "$work" && "${apt[@]}" download 'docker-registry=2.8.3*')
dpkg-deb -x "$work"/docker-registry_*.deb "$work/root"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/config.yml" <<EOF
version: 0.1
storage:
  filesystem:
    rootdirectory: $work/data
http:
  addr: 127.0.0.1:$port
EOF
"$work/root/usr/bin/docker-registry" --version
"$work/root/usr/bin/docker-registry" serve "$work/config.yml" >"$work/log" 2>&1 &
registry=$!

python3 - "$port" "$work/log" <<'EOF'
import collections
import hashlib
import http.client
import json
import pathlib
import sys
import threading
import time

PORT, LOG = int(sys.argv[1]), pathlib.Path(sys.argv[2])
TYPE = "application/vnd.oci.image.manifest.v1+json"
MANIFESTS = "/v2/team/app/manifests"
ENOUGH = 5
PUSHES = 5000
UNRELATED_PUSHES = 200


def connect():
    return http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)


def ask(connection, method, path, body=None, headers={}):
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.read(), response.headers


for _ in range(300):
    try:
        ask(connect(), "GET", "/v2/")
        break
    except ConnectionRefusedError:
        time.sleep(0.1)

writer = connect()
config = b"{}"
config_digest = "sha256:" + hashlib.sha256(config).hexdigest()
place = ask(writer, "POST", "/v2/team/app/blobs/uploads/")[2]["Location"]
assert ask(writer, "PUT", f"{place}&digest={config_digest}", config)[0] == 201


def image(name):
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": len(config)}
    return json.dumps(
        {"schemaVersion": 2, "mediaType": TYPE, "config": described, "layers": [], "annotations": {"name": name}}
    )


def push(tag, manifest):
    status, _, _ = ask(writer, "PUT", f"{MANIFESTS}/{tag}", manifest, {"Content-Type": TYPE})
    assert status == 201, status


def pull(reference):
    """Pull it until the end of the pushes; count the answers."""
    connection = connect()
    while not done.is_set():
        status, _, _ = ask(connection, "GET", f"{MANIFESTS}/{reference}", headers={"Accept": TYPE})
        answers[status] += 1


def show(what, reference, push_number, most=PUSHES):
    """Pull a reference with two clients during pushes."""
    answers.clear()
    done.clear()
    clients = [threading.Thread(target=pull, args=[reference]) for _ in range(2)]
    for client in clients:
        client.start()
    pushes = 0
    while pushes < most and answers[500] < ENOUGH:
        push_number(pushes)
        pushes += 1
    done.set()
    for client in clients:
        client.join()
    print(f"{what}: {pushes} pushes, pulls by status: {dict(answers)}")
    return +answers


answers = collections.Counter()
done = threading.Event()
digest = "sha256:" + hashlib.sha256(image("base").encode()).hexdigest()
push("latest", image("base"))
unrelated = show(
    "other images pushed, pulled by tag",
    "latest",
    lambda number: push(f"other-{number}", image(f"other-{number}")),
    UNRELATED_PUSHES,
)
tagged = show(
    "the same image pushed under more tags, pulled by digest",
    digest,
    lambda number: push(f"more-{number}", image("base")),
)
moved = show(
    "new images pushed under the tag, pulled by tag",
    "latest",
    lambda number: push("latest", image(f"new-{number}")),
)
after = [ask(writer, "GET", f"{MANIFESTS}/{reference}", headers={"Accept": TYPE})[0] for reference in ("latest", digest)]
print(f"after the pushes, by tag and by digest: {after}")

is_logged = "invalid checksum digest format" in LOG.read_text()
if set(unrelated) != {200} or set(tagged) != {200, 500} or set(moved) != {200, 500} or after != [200, 200] or not is_logged:
    sys.exit("changed: a pull is not disturbed by a push of the same image, or something else went wrong")
print("seen: pulls failed with 500 while the same image was pushed, by tag and by digest")
EOF
