"""What real programs say when something is wrong, and that localreg knows each of these messages."""

from __future__ import annotations

import contextlib
import http.server
import shlex
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from support.engines.images import write_image
from support.engines.oci_archives import OciArchive
from support.engines.real import BEDS, Bed, free_port, is_free

from localreg.explain.find import explain
from localreg.system.waiting import wait_until

pytestmark = pytest.mark.together

HERE = "192.0.2.1"
"""The sandbox's address that is not loopback."""


class _Answering(http.server.BaseHTTPRequestHandler):
    """`/STATUS/` is in the repository's name, and is the answer to everything about it."""

    def do_GET(self) -> None:
        status = next((int(part) for part in self.path.split("/") if part.isdecimal()), 200)
        title = f"{status} {http.HTTPStatus(status).phrase}"
        body = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>{title}</body>\r\n</html>".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Places:
    """Registries with faults, and what a command says for each of them."""

    folder: Path
    ports: Mapping[str, int]

    def largest_blob(self, name: str) -> Path:
        """The file of a layer in one of the registries."""
        return max((self.folder / f"{name}-data").rglob("blobs/*/*/*/data"), key=lambda path: path.stat().st_size)

    def said(self, bed: Bed, commands: Sequence[str], *, env: dict[str, str] | None = None) -> dict[str, str]:
        """Run commands that have to fail, and find the explanation of what each of them says."""
        found = {}
        for command in commands:
            words = [word.format_map({**self.ports, "HERE": HERE, "F": self.folder}) for word in shlex.split(command)]
            if words[:2] == ["docker", "push"]:
                bed.engine_ok("tag", "localhost/app:1", words[-1])
            result = bed.run(*words, env=env)
            text = f"{result.stdout}\n{result.stderr}"
            found[command] = next((known.name for known in explain(text)), text)
        return found


def make_certificate(folder: Path, common_name: str, *names: x509.GeneralName, year: int | None = None) -> None:
    """Write `cert.pem` and `key.pem`.

    Args:
        folder: Where; it is created.
        common_name: Its CN.
        names: Its subject alternative names.
        year: The one that it is valid in; None if it is valid now.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    begin = datetime(year, 1, 1, tzinfo=UTC) if year else datetime.now(UTC) - timedelta(days=1)
    builder = (
        x509.CertificateBuilder(issuer_name=own, subject_name=own, public_key=key.public_key(), serial_number=1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    folder.mkdir()
    (folder / "cert.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    form, secret = PrivateFormat.PKCS8, NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, form, secret))


@pytest.fixture(scope="module")
def places(registry_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """All of them, for as long as the tests of this file last."""
    folder = tmp_path_factory.mktemp("places")
    for path in (folder, *list(folder.parents)[:2]):
        path.chmod(0o755)
    (folder / "htpasswd").write_text("")
    write_image(folder / "image.tar", "localhost/app:1", {"content": "app"}, command="exec sleep 1000")
    names = (x509.DNSName("localhost"), x509.IPAddress(IPv4Address(HERE)))
    make_certificate(folder / "self", "localhost", *names)
    make_certificate(folder / "common", "localhost")
    make_certificate(folder / "other", "other", x509.DNSName("other.example"))
    make_certificate(folder / "old", "localhost", *names, year=2024)
    ports = {name: free_port() for name in ("plain", "self", "common", "other", "old", "auth", "cache", "keeps", "cut")}
    more = {
        "auth": f"auth: {{htpasswd: {{realm: r, path: {folder / 'htpasswd'}}}}}\n",
        "cache": f"proxy: {{remoteurl: 'http://127.0.0.1:{ports['plain']}'}}\n",
    }
    with contextlib.ExitStack() as stack:
        for name, port in ports.items():
            tls = f", tls: {{certificate: {folder / name}/cert.pem, key: {folder / name}/key.pem}}"
            config = folder / f"{name}.yml"
            config.write_text(
                "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
                f"storage: {{filesystem: {{rootdirectory: {folder / name}-data}}, "
                f"delete: {{enabled: {str(name != 'keeps').lower()}}}}}\n"
                f"http: {{addr: ':{port}'{tls if (folder / name).is_dir() else ''}}}\n{more.get(name, '')}"
            )
            if name == "cache":
                # It asks its upstream when it starts, and ends without an answer.
                assert wait_until(lambda: not is_free(ports["plain"]), seconds=20)
            process = subprocess.Popen([registry_program, "serve", config], stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answering)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        assert wait_until(lambda: not any(map(is_free, ports.values())), seconds=20)
        yield Places(folder, {**ports, "answers": server.server_port, "nobody": free_port(), "silent": free_port()})


def test_docker(docker: Bed, places: Places) -> None:
    docker.api.load(places.folder / "image.tar")
    docker.engine_ok("tag", "localhost/app:1", f"localhost:{places.ports['plain']}/app:1")
    docker.engine_ok("push", f"localhost:{places.ports['plain']}/app:1")
    certificates = Path("/etc/docker/certs.d")
    for name in ("common", "other", "old"):
        folder = certificates / f"{HERE}:{places.ports[name]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "ca.crt").write_bytes((places.folder / name / "cert.pem").read_bytes())
    expected = {
        "docker push {HERE}:{plain}/app:1": "docker-plain-http",
        "docker push {HERE}:{self}/app:1": "unknown-authority",
        "docker push {HERE}:{common}/app:1": "certificate-for-another-name",
        "docker push {HERE}:{other}/app:1": "certificate-for-another-name",
        "docker push {HERE}:{old}/app:1": "certificate-expired",
        "docker push 127.0.0.1:{nobody}/app:1": "connection-refused",
        "docker push reg.invalid:5000/app:1": "unknown-host",
        "docker push localhost:{auth}/app:1": "login-missing",
        "docker login -u x -p y localhost:{auth}": "wrong-password",
        "docker push localhost:{cache}/app:1": "push-refused",
        "docker pull localhost:{plain}/app:2": "not-here",
        "docker pull localhost:{plain}/App:1": "name-with-capitals",
        "docker pull http://localhost:{plain}/app:1": "invalid-reference",
        "docker manifest inspect localhost:{plain}/app:1": "no-such-manifest",
        "docker pull localhost:{answers}/403/app:1": "answered-403",
        "docker pull localhost:{answers}/413/app:1": "answered-413",
        "docker pull localhost:{answers}/500/app:1": "answered-5xx",
        "docker pull localhost:{answers}/404/app:1": "not-a-registrys-answer",
        "docker pull localhost:{answers}/429/app:1": "rate-limit",
        "docker pull localhost:{plain}/other:1": "other-platform",
        "docker pull localhost:{silent}/app:1": "nothing-in-the-container",
        "docker pull localhost:{cut}/app:1": "broken-layer",
        "docker run localhost/none:1": "pull-of-local-name",
        "docker logs again": "log-driver",
        "docker -H unix:///nosuch.sock ps": "docker-not-running",
        "docker run -d -p 127.0.0.1:{plain}:5000 localhost/app:1": "port-taken",
        "docker run -d --name again localhost/app:1": "name-taken",
    }
    copy = ["skopeo", "copy", "--all", "--dest-tls-verify=false"]
    cut = f"docker://localhost:{places.ports['cut']}/app:1"
    # Docker must not have its layer already.
    write_image(places.folder / "cut.tar", "localhost/cut:1", {"content": "cut"})
    archive = OciArchive()
    archive.add(archive.index(archive.image("s390x"))).write(places.folder / "other.tar")
    for source, target in (
        (f"docker-archive:{places.folder}/cut.tar", cut),
        (f"oci-archive:{places.folder}/other.tar", f"docker://localhost:{places.ports['plain']}/other:1"),
    ):
        copied = docker.run(*copy, source, target)
        assert copied.returncode == 0, copied.stderr
    layer = places.largest_blob("cut")
    layer.write_bytes(layer.read_bytes()[:-1000])
    publish = ["-p", f"127.0.0.1:{places.ports['silent']}:5000"]
    docker.engine_ok("run", "-d", "--name", "again", "--log-driver", "none", *publish, "localhost/app:1")
    try:
        assert places.said(docker, list(expected)) == expected
    finally:
        subprocess.run(["rm", "-rf", certificates], check=True)


@pytest.mark.usefixtures("docker")
def test_a_user_who_may_not_use_docker(places: Places) -> None:
    assert places.said(BEDS["podman-rootless"], ["docker ps"]) == {"docker ps": "docker-socket-denied"}


def test_podman(rootless: Bed, places: Places) -> None:
    rootless.api.load(places.folder / "image.tar")
    rootless.engine_ok("run", "-d", "--name", "again", "localhost/app:1")
    capitals = places.said(rootless, ["podman push localhost/app:1 localhost:5000/App:1"])
    assert set(capitals.values()) <= {"unknown-transport", "name-with-capitals"}, capitals
    expected = {
        "podman push localhost/app:1 localhost:{plain}/app:1": "podman-plain-http",
        "podman push localhost/app:1 localhost:{self}/app:1": "unknown-authority",
        "podman push --cert-dir {F}/old-ca localhost/app:1 localhost:{old}/app:1": "certificate-expired",
        "podman push --cert-dir {F}/other-ca localhost/app:1 localhost:{other}/app:1": "certificate-for-another-name",
        "podman push --cert-dir {F}/common-ca localhost/app:1 localhost:{common}/app:1": "legacy-common-name",
        "podman push --tls-verify=false localhost/app:1 localhost:{auth}/app:1": "login-missing",
        "podman login --tls-verify=false -u x -p y localhost:{auth}": "wrong-password",
        "podman push --tls-verify=false localhost/app:1 localhost:{cache}/app:1": "push-refused",
        "podman pull --tls-verify=false localhost:{plain}/none:1": "not-here",
        "podman pull nosuch": "short-name",
        "podman run -d -p 127.0.0.1:{plain}:5000 localhost/app:1": "port-taken",
        "podman run -d -p 80:5000 localhost/app:1": "privileged-port",
        "podman run -d --name again localhost/app:1": "name-taken",
        "podman network connect podman again": "not-on-a-bridge",
        "podman --remote --url unix:///nosuch.sock ps": "podman-not-running",
    }
    for name in ("old", "other", "common"):
        folder = places.folder / f"{name}-ca"
        folder.mkdir()
        (folder / "ca.crt").write_bytes((places.folder / name / "cert.pem").read_bytes())
    assert places.said(rootless, list(expected)) == expected


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (
            '[[registry]]\nlocation = "{0}"\ninsecure = true\n[[registry]]\nlocation = "{0}"\ninsecure = false\n',
            "conflicting-insecure",
        ),
        ('[[registry]]\nlocation = "http://{0}"\ninsecure = true\n', "registries-conf"),
        ('[[registry]]\nlocation = "{0}"\ninsecure = "true"\n', "registries-conf"),
        ('[[registry]]\nlocation = "{0}"\nblocked = true\n', "registry-blocked"),
        (
            'unqualified-search-registries = ["{0}", "b.example"]\nshort-name-mode = "enforcing"\n',
            "short-name-enforced",
        ),
    ],
)
def test_podman_with_a_file_that_is_in_its_way(rootless: Bed, places: Places, content: str, name: str) -> None:
    rootless.api.load(places.folder / "image.tar")
    folder = rootless.home / ".config/containers/registries.conf.d"
    rootless.run("mkdir", "-p", str(folder))
    (folder / "99.conf").write_text(content.replace("{0}", f"localhost:{places.ports['plain']}"))
    command = "podman pull nosuch" if "short" in name else "podman push localhost/app:1 localhost:{plain}/app:1"
    assert places.said(rootless, [command]) == {command: name}


def test_skopeo(docker: Bed, places: Places) -> None:
    copy = ["skopeo", "copy", f"docker-archive:{places.folder}/image.tar", "--dest-tls-verify=false"]
    for name in ("plain", "keeps"):
        result = docker.run(*copy, f"docker://localhost:{places.ports[name]}/app:1")
        assert result.returncode == 0, result.stderr
    expected = {
        "skopeo inspect docker://localhost:{plain}/app:1": "podman-plain-http",
        "skopeo inspect docker://localhost:{self}/app:1": "unknown-authority",
        "skopeo delete --tls-verify=false docker://localhost:{keeps}/app:1": "delete-refused",
        "skopeo list-tags --tls-verify=false docker://localhost:{plain}/none": "name-unknown",
        "skopeo inspect localhost:{plain}/app:1": "unknown-transport",
    }
    assert places.said(docker, list(expected)) == expected
    proxy = {"HTTPS_PROXY": f"http://127.0.0.1:{places.ports['nobody']}"}
    command = "skopeo inspect docker://reg.example:5000/app:1"
    assert places.said(docker, [command], env=proxy) == {command: "proxy-unreachable"}
    places.largest_blob("plain").unlink()
    command = "skopeo copy --src-tls-verify=false docker://localhost:{plain}/app:1 dir:{F}/dir"
    assert places.said(docker, [command]) == {command: "blob-unknown"}


@pytest.fixture
def ctr(tmp_path: Path, docker: Bed) -> Iterator[str]:
    """`ctr` with the address of a containerd of its own."""
    socket = tmp_path / "containerd.sock"
    command = ["containerd", "--address", str(socket), "--root", str(tmp_path / "root"), "--state", str(tmp_path / "s")]
    with docker.started(*command) as process:
        asked = ["ctr", "-a", str(socket), "version"]
        is_up = wait_until(
            lambda: docker.run(*asked).returncode == 0, seconds=30, is_alive=lambda: process.poll() is None
        )
        assert is_up
        yield f"ctr -a {socket}"


def test_containerd(ctr: str, docker: Bed, places: Places, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts" / f"localhost:{places.ports['plain']}"
    hosts.mkdir(parents=True)
    pull = f"{ctr} images pull"
    expected = {
        f"{pull} {{HERE}}:{{plain}}/app:1": {"containerd-plain-http"},
        f"{pull} {{HERE}}:{{self}}/app:1": {"unknown-authority"},
        f"{pull} localhost:{{self}}/app:1": {"containerd-400", "not-here"},
        f"{pull} localhost:{{auth}}/app:1": {"login-missing"},
        f"{pull} localhost:{{plain}}/none:1": {"not-here"},
        f"{pull} localhost:{{nobody}}/app:1": {"node-refused"},
        f"{pull} reg.invalid:5000/app:1": {"unknown-host"},
    }
    found = places.said(docker, list(expected))
    assert {command: name for command, name in found.items() if name not in expected[command]} == {}
    (hosts / "hosts.toml").write_text(f'[host."https://{hosts.name}"]\nca = "/nosuch.crt"\n')
    command = f"{pull} --hosts-dir {tmp_path}/hosts {hosts.name}/app:1"
    assert places.said(docker, [command]) == {command: "authority-file-missing"}
    (hosts / "hosts.toml").write_text("[[host]\n")
    said = docker.run(*shlex.split(command)).stderr
    # containerd 2 says it in its log alone, and goes on without the file.
    assert "hosts.toml" not in said or explain(said)[0].name == "hosts-toml"
    (hosts / "hosts.toml").write_text(f'[host."http://{hosts.name}"]\ncapabilities = ["pull", "referrers"]\n')
    said = docker.run(*shlex.split(command)).stderr
    # From containerd 2 on it knows that one.
    assert "capability referrers" not in said or explain(said)[0].name == "capability-referrers"
