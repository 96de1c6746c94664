#!/usr/bin/env bash
# Distribution 2.8.3 (docker-registry in Debian 13): DELETE of an image fails half-way if another tag is pushed just
# then.
#
# Expected: a DELETE that is answered with 500 has changed nothing, or works when it is repeated.
# Observed: the image is gone and its tag stays. `tags/list` shows the tag, GET of it is 404, and a second DELETE is
# 404, as is every later one. `garbage-collect -m` keeps the tag. DELETE removes the manifest first and then reads all
# tags of the repository, to remove those of this image. One of them is being pushed, and its file is empty for a
# moment, which ends the request.
#
# It matters because a nightly clean-up meets builds that push: here, one DELETE in 10 to 100 fails beside three clients
# that push other tags without a pause. Each failure leaves a tag that cannot be deleted, and a tool that reads every
# tag then fails.
#
# Advice: delete while nothing is pushed to that repository. After a 500, push any image under the tag that stayed, and
# delete that image.
#
# Needs: python3, apt-get with a Debian mirror set up (or DEBIAN_MIRROR=URL). Runs as any user on Debian 12 or 13.
set -euo pipefail

work=$(mktemp -d)
export TMPDIR=$work
trap 'rm -rf "$work"' EXIT
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
  delete:
    enabled: true
http:
  addr: 127.0.0.1:$port
EOF
"$work/root/usr/bin/docker-registry" --version

python3 - "$work/root/usr/bin/docker-registry" "$work/config.yml" "$port" <<'EOF'
import contextlib
import hashlib
import http.client
import itertools
import json
import subprocess
import sys
import threading
import time

PROGRAM, CONFIG, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
TYPE = "application/vnd.oci.image.manifest.v1+json"
MANIFESTS = "/v2/team/app/manifests"
ENOUGH = 3
PUSHED = ("latest-1", "latest-2", "latest-3")
MOST = 20_000


def connect():
    return http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)


def ask(connection, method, path, body=None, headers={}):
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.read(), response.headers


@contextlib.contextmanager
def registry():
    with subprocess.Popen([PROGRAM, "serve", CONFIG], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                with contextlib.suppress(ConnectionRefusedError):
                    ask(connect(), "GET", "/v2/")
                    break
                time.sleep(0.1)
            yield
        finally:
            process.terminate()


def push(connection, tag, name):
    """Push an image that is like no other; its digest."""
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config_digest, "size": len(config)}
    manifest = json.dumps(
        {"schemaVersion": 2, "mediaType": TYPE, "config": described, "layers": [], "annotations": {"name": name}}
    )
    status, _, _ = ask(connection, "PUT", f"{MANIFESTS}/{tag}", manifest, {"Content-Type": TYPE})
    assert status == 201, status
    return "sha256:" + hashlib.sha256(manifest.encode()).hexdigest()


def keep_pushing(tag):
    """Push a new image under this tag, again and again."""
    connection = connect()
    for number in itertools.count():
        if done.is_set():
            return
        push(connection, tag, f"{tag} {number}")


def state(connection, tag, digest):
    """Is the tag listed, and the answers to GET of it and to DELETE of its image."""
    listed = tag in json.loads(ask(connection, "GET", "/v2/team/app/tags/list")[1])["tags"]
    get, _, _ = ask(connection, "GET", f"{MANIFESTS}/{tag}", headers={"Accept": TYPE})
    delete, _, _ = ask(connection, "DELETE", f"{MANIFESTS}/{digest}")
    print(f"{tag}: {'listed' if listed else 'not listed'}, GET of the tag {get}, DELETE of its image {delete}")
    return listed, get, delete


def clean_up(connection, prefix, most):
    """Push images and delete each: how many, and those whose DELETE failed as (tag, digest)."""
    failed = []
    for number in range(most):
        tag = f"{prefix}-{number}"
        digest = push(connection, tag, tag)
        status, _, _ = ask(connection, "DELETE", f"{MANIFESTS}/{digest}")
        if status != 202:
            failed.append((tag, digest))
            print(f"{tag}: DELETE {status}")
        if len(failed) == ENOUGH:
            break
    return number + 1, failed


config = b"{}"
config_digest = "sha256:" + hashlib.sha256(config).hexdigest()
done = threading.Event()
with registry():
    connection = connect()
    place = ask(connection, "POST", "/v2/team/app/blobs/uploads/")[2]["Location"]
    assert ask(connection, "PUT", f"{place}&digest={config_digest}", config)[0] == 201
    alone = clean_up(connection, "alone", 200)
    print(f"without another client: {alone[0]} images deleted, {len(alone[1])} failed")
    pushers = [threading.Thread(target=keep_pushing, args=[tag], daemon=True) for tag in PUSHED]
    for pusher in pushers:
        pusher.start()
    beside = clean_up(connection, "beside", MOST)
    done.set()
    for pusher in pushers:
        pusher.join()
    print(f"beside pushes of {len(PUSHED)} other tags: {beside[0]} images deleted, {len(beside[1])} failed")
    print("--- after the last push:")
    left = [state(connection, tag, digest) for tag, digest in beside[1]]
collected = subprocess.run([PROGRAM, "garbage-collect", "-m", CONFIG], capture_output=True, text=True)
print(f"--- after garbage-collect -m (exit code {collected.returncode}):")
with registry():
    connection = connect()
    left += [state(connection, tag, digest) for tag, digest in beside[1]]
    tag = beside[1][0][0] if beside[1] else "none"
    digest = push(connection, tag, "any other image")
    print("--- after a push of another image under the tag:")
    healed = [state(connection, tag, digest), state(connection, tag, digest)]

broken = [(True, 404, 404)] * ENOUGH * 2
if alone[1] or left != broken or collected.returncode or healed != [(True, 200, 202), (False, 404, 404)]:
    sys.exit("changed: DELETE does not fail beside a push, or removes the tag when it is repeated")
print(f"seen: {ENOUGH} of {beside[0]} DELETEs failed, and their tags can no longer be deleted")
EOF
