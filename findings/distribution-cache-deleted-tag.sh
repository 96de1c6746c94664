#!/usr/bin/env bash
# Distribution 2.8.3 (docker-registry in Debian 13): a pull-through cache serves a tag that was deleted upstream.
#
# Expected: the cache asks the upstream registry for each tag, and a tag that does not exist there is 404.
# Observed: it asks, gets 404, and then serves the image that it has under this tag, with 200 and without a word of it
# in its log. It takes "not found" for "not reachable". `tags/list` through the cache comes from upstream and does not
# have the tag, so that one server says at the same time that a tag is there and that it is not. A restart of the cache
# changes nothing.
#
# It matters because an image that was withdrawn, or removed by a retention rule, is still deployed wherever the cache
# is used, and a build that names a removed tag works on one machine and fails on another.
#
# Advice: after you delete a tag upstream, delete the folder of the tag in the cache's volume. To see which tags there
# are, use `tags/list` or ask the upstream registry, and do not try to pull.
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
"$work/root/usr/bin/docker-registry" --version

python3 - "$work/root/usr/bin/docker-registry" "$work" <<'EOF'
import contextlib
import hashlib
import http.client
import json
import pathlib
import socket
import subprocess
import sys
import time

PROGRAM, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
TYPE = "application/vnd.oci.image.manifest.v1+json"


def ask(port, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.read(), response.headers

@contextlib.contextmanager
def registry(name, **more):
    """A registry with its own folder; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(FOLDER / name)}, "delete": {"enabled": True}},
        "http": {"addr": f"127.0.0.1:{port}"},
        **more,
    }
    # JSON is YAML.
    (FOLDER / f"{name}.yml").write_text(json.dumps(config))
    with (FOLDER / f"{name}.log").open("ab") as log:
        command = [PROGRAM, "serve", str(FOLDER / f"{name}.yml")]
        with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT) as process:
            try:
                for _ in range(300):
                    with contextlib.suppress(ConnectionRefusedError):
                        ask(port, "GET", "/v2/")
                        break
                    time.sleep(0.1)
                yield port
            finally:
                process.terminate()


def push(port, tag):
    """Push an image that has nothing but its configuration; its digest."""
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": {"tag": tag}}}).encode()
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    place = ask(port, "POST", "/v2/team/app/blobs/uploads/")[2]["Location"]
    status, _, _ = ask(port, "PUT", f"{place}&digest={digest}", config)
    assert status == 201, status
    described = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(config)}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "config": described, "layers": []}).encode()
    status, _, _ = ask(port, "PUT", f"/v2/team/app/manifests/{tag}", manifest, Content_Type=TYPE)
    assert status == 201, status
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def state(port, name):
    """The statuses of GET of the tags, and the listed tags."""
    found = {tag: ask(port, "GET", f"/v2/team/app/manifests/{tag}", Accept=TYPE)[0] for tag in ("kept", "withdrawn")}
    listed = sorted(json.loads(ask(port, "GET", "/v2/team/app/tags/list")[1])["tags"])
    print(f"{name}: GET {found}, tags/list {listed}")
    return found["kept"], found["withdrawn"], listed


with registry("upstream") as upstream:
    push(upstream, "kept")
    digest = push(upstream, "withdrawn")
    proxy = {"remoteurl": f"http://127.0.0.1:{upstream}"}
    with registry("cache", proxy=proxy) as cache:
        before = state(cache, "cache")
        # The cache stores in the background.
        for _ in range(300):
            if len(list((FOLDER / "cache").rglob("tags/*/current/link"))) == len(before[2]):
                break
            time.sleep(0.1)
        status, _, _ = ask(upstream, "DELETE", f"/v2/team/app/manifests/{digest}")
        print(f"DELETE of `withdrawn` upstream: {status}")
        there = state(upstream, "upstream")
        seen = [state(cache, "cache")]
    with registry("cache", proxy=proxy) as cache:
        seen.append(state(cache, "cache, restarted"))
asked = (FOLDER / "upstream.log").read_text().count('/manifests/withdrawn HTTP/1.1" 404')
print(f"upstream answered 404 for `withdrawn` {asked} times")

both = ["kept", "withdrawn"]
if before != (200, 200, both) or there != (200, 404, both[:1]) or seen != [(200, 200, both[:1])] * 2 or asked < 3:
    sys.exit("changed: the cache does not serve a deleted tag, or something else went wrong")
print("seen: the cache was told that the tag does not exist, and served it")
EOF
