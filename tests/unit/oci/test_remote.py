"""Registries elsewhere: logins, pauses, detours and TLS."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.registries.fake import FakeRegistry
from support.registries.remote import Remote, basic, digest_of, remote_registry
from support.registries.shelf import Shelf

from localreg.errors import ConfigError, LocalregError, RegistryError, RegistryUnreachableError, RepositoryNotFoundError
from localreg.oci import pacing
from localreg.oci.access import Access, Credentials
from localreg.oci.answer import Answer
from localreg.oci.api import RegistryClient
from localreg.oci.challenge import Challenge, joined, read_challenge, repository_of, scopes_of
from localreg.oci.leads import led_to
from localreg.oci.pacing import retry_after
from localreg.oci.pages import next_page
from localreg.oci.ping import Reply
from localreg.oci.remote import open_client

SECRET = "hunter2"
MANIFEST = "/v2/app/manifests/1"


@pytest.fixture
def remote() -> Iterator[Remote]:
    with remote_registry() as opened:
        Shelf(opened, "app").image("1")
        yield opened


@pytest.fixture
def other() -> Iterator[Remote]:
    """A store of blobs beside it, which has no need of a token."""
    with remote_registry() as opened:
        yield opened


class Waits(list[tuple[str, float]]):
    """The waits that a user was told of."""

    def __call__(self, host: str, seconds: float) -> None:
        self.append((host, seconds))


def client_of(remote: Remote, user: Credentials | None = None, waits: Waits | None = None) -> RegistryClient:
    access = Access(
        remote.location,
        find_credentials=lambda _repository: user,
        login_command=f"docker login {remote.location}",
        on_wait=waits if waits is not None else Waits(),
    )
    return RegistryClient(remote.base_url, access=access)


def read(remote: Remote, user: Credentials | None = None) -> LocalregError | None:
    """Read an image; the error if that fails."""
    with client_of(remote, user) as client:
        try:
            stored = client.get_manifest("app", "1")
            client.get_blob("app", stored.content.config.digest)  # type: ignore[union-attr]
        except LocalregError as exc:
            return exc
    return None


def with_tokens(remote: Remote) -> None:
    remote.users["dev"] = SECRET
    remote.realm = f"{remote.base_url}/token"


@pytest.mark.parametrize("names_scopes", [True, False])
def test_a_token_is_got_once_for_each_need(remote: Remote, *, names_scopes: bool) -> None:
    with_tokens(remote)
    remote.scopes = names_scopes
    with client_of(remote, Credentials("dev", SECRET)) as client:
        stored = client.get_manifest("app", "1")
        client.get_manifest("app", "1")
        client.get_blob("app", stored.content.config.digest)  # type: ignore[union-attr]
        client.put_blob("app", b"new")
        client.put_manifest("app", "2", stored.data, stored.media_type)
    assert list(remote.tokens.values()) == [["repository:app:pull"], ["repository:app:pull,push"]]
    # Its password goes to the login server alone.
    assert {each.target.partition("?")[0] for each in remote.asked if each.authorization == basic("dev", SECRET)} == {
        "/token"
    }


def test_a_public_image_needs_a_token_that_needs_no_user(remote: Remote) -> None:
    with_tokens(remote)
    remote.is_public = True
    assert read(remote) is None
    with client_of(remote) as client, pytest.raises(RegistryError) as caught:
        client.put_blob("app", b"new")
    assert (caught.value.status, caught.value.hint) == (401, f"docker login {remote.location}")


def test_an_identity_token_is_changed_into_a_token(remote: Remote) -> None:
    with_tokens(remote)
    assert read(remote, Credentials("<token>", SECRET, is_token=True)) is None
    assert [each.method for each in remote.of("POST", "/token")] == ["POST"]
    assert SECRET not in "".join(each.target for each in remote.asked)


def test_a_password_is_sent_where_the_registry_takes_one(remote: Remote) -> None:
    remote.users["dev"] = SECRET
    assert read(remote, Credentials("dev", SECRET)) is None


@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize("user", [None, Credentials("dev", "wrong-password")])
def test_no_login_and_a_wrong_one_are_named_with_the_cure(
    remote: Remote, user: Credentials | None, *, tokens: bool
) -> None:
    with_tokens(remote) if tokens else remote.users.update(dev=SECRET)
    error = read(remote, user)
    assert isinstance(error, RegistryError)
    assert error.status == 401
    assert error.hint == f"docker login {remote.location}"
    assert remote.location in error.message
    assert "wrong-password" not in f"{error!r}{error.details}"


def test_a_token_that_ends_is_got_anew(remote: Remote) -> None:
    with_tokens(remote)
    with client_of(remote, Credentials("dev", SECRET)) as client:
        client.get_manifest("app", "1")
        remote.tokens.clear()
        client.get_manifest("app", "1")
        assert len(remote.of("GET", MANIFEST)) == 4


@pytest.mark.parametrize(
    "realm", ["ftp://localhost/token", "file:///etc/passwd", "//", "", "https://user@localhost/token", "http://["]
)
def test_a_realm_that_is_none_gets_nothing(remote: Remote, realm: str) -> None:
    remote.users["dev"], remote.realm = SECRET, realm or '"'
    error = read(remote, Credentials("dev", SECRET))
    assert isinstance(error, RegistryError)
    assert len(remote.asked) == 1


def test_no_text_has_the_secret() -> None:
    user = Credentials("dev", SECRET)
    assert SECRET not in f"{user!r} {user} {Access('h', find_credentials=lambda _: user)!r}"


def test_a_redirect_elsewhere_carries_no_token(remote: Remote, other: Remote) -> None:
    with_tokens(remote)
    data = b"layer" * 1000
    remote.blob("app", data, "")
    other.blob("store", data, "")
    remote.blobs_at = f"{other.base_url}/v2/store/blobs/"
    with client_of(remote, Credentials("dev", SECRET)) as client:
        assert b"".join(client.blobs.read("app", digest_of(data))) == data
        assert client.get_blob("app", digest_of(data)) == data
        # The redirect alone tells that it is there.
        assert client.blobs.find_size("app", digest_of(data), told=7) == 7
    assert [each.authorization for each in other.asked] == [None] * 2
    assert all(each.authorization for each in remote.of("GET", "/blobs/")[1:])


def test_a_redirect_without_end_is_left(registry: FakeRegistry) -> None:
    registry.faults["/v2/_catalog"] = "loop"
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError, match="without end"):
        list(client.iter_repositories())
    assert registry.requests["/v2/_catalog"] < 10


@pytest.mark.parametrize("to", ["http://localhost/x", "file:///etc/passwd", "ftp://localhost/x", "http://["])
def test_no_redirect_leaves_tls(to: str) -> None:
    with pytest.raises(RegistryError, match="leads"):
        led_to("https://localhost/v2/", to, who="the registry")


INVALID = ["http://[", "https://localhost:port/x", "https://localhost:99999/x"]


@pytest.mark.parametrize("to", INVALID)
@pytest.mark.parametrize("is_own", [True, False])
def test_an_invalid_url_is_told(registry: FakeRegistry, remote: Remote, to: str, *, is_own: bool) -> None:
    remote.answers[f"GET {MANIFEST}"] = [(307, {"Location": to})]
    remote.answers["POST /v2/app/blobs/uploads/"] = [(202, {"Location": to})]
    remote.answers["GET /v2/app/tags/list"] = [(200, {"Link": f'<{to}?last=1>; rel="next"'})]
    with RegistryClient(remote.base_url) if is_own else client_of(remote) as client:
        for ask in (lambda: client.get_manifest("app", "1"), lambda: client.put_blob("app", b"new")):
            with pytest.raises(RegistryError, match="leads to an invalid URL"):
                ask()
    registry.tags, registry.link_base = {f"app-{number:05}": {} for number in range(1001)}, to
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError, match="leads to an invalid URL"):
        list(client.iter_repositories())


def test_a_host_that_a_registry_leads_to_is_named(remote: Remote) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    remote.blobs_at = f"http://127.0.0.1:{port}/"
    said = f"cannot reach 127.0.0.1:{port}, where the registry at {remote.location} leads: nothing listens there"
    with client_of(remote) as client, pytest.raises(RegistryUnreachableError, match=f"^{said}$"):
        client.get_blob("app", next(digest for _, digest in remote.blobs))


def test_what_is_sent_may_come_from_the_same_registry(remote: Remote) -> None:
    (_, digest), data = next(iter(remote.blobs.items()))
    with RegistryClient(remote.base_url, connections=1) as client:

        def store() -> None:
            client.blobs.store("other", digest, len(data), lambda: client.blobs.read("app", digest))

        # Both would wait for the one connection.
        thread = threading.Thread(target=store, daemon=True)
        thread.start()
        thread.join(20)
    assert remote.blobs["other", digest] == data


def test_a_length_that_is_none_is_not_believed(remote: Remote) -> None:
    digest = next(digest for _, digest in remote.blobs)
    remote.answers[f"HEAD /v2/app/blobs/{digest}"] = [(200, {"Content-Length": "many"})]
    with client_of(remote) as client:
        assert client.blobs.find_size("app", digest, told=7) == 7


@pytest.mark.parametrize(
    "header", ["a" * 60_000, f"Bearer realm=x,{'b' * 60_000}", "a " * 30_000, "<" * 60_000, "<>;" * 20_000]
)
def test_a_long_header_is_read_in_one_go(header: str) -> None:
    began = time.process_time()
    read_challenge(header)
    next_page(Answer(200, {"Link": header}, b""), "/", (), who="the registry")
    # It was a minute.
    assert time.process_time() - began < 5


def test_a_redirect_may_be_relative() -> None:
    assert led_to("https://localhost:1/v2/x", "/y", who="") == "https://localhost:1/y"


def test_an_upload_goes_where_the_registry_says(remote: Remote, other: Remote) -> None:
    with_tokens(remote)
    remote.uploads_at = other.base_url
    with client_of(remote, Credentials("dev", SECRET)) as client:
        client.put_blob("app", b"new")
    assert other.blobs["app", digest_of(b"new")] == b"new"
    assert [each.authorization for each in other.asked] == [None]
    remote.uploads_at = remote.base_url
    with client_of(remote, Credentials("dev", SECRET)) as client:
        client.put_blob("app", b"newer")
    assert remote.blobs["app", digest_of(b"newer")] == b"newer"


def test_an_upload_may_go_to_a_path_of_the_registrys_own_choice(remote: Remote) -> None:
    with_tokens(remote)
    remote.uploads_at = "/area"
    with client_of(remote, Credentials("dev", SECRET)) as client:
        for repository in ("app", "other"):
            client.put_blob(repository, b"new")
    assert {name for name, digest in remote.blobs if digest == digest_of(b"new")} == {"app", "other"}
    # The server may not read what comes without a token.
    assert all(each.authorization for each in remote.of("PUT", "/area/"))


@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_the_registry_asks_for_is_kept_and_told(
    remote: Remote, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(pacing, "_FIRST", 0.02)
    remote.answers[f"GET {MANIFEST}"] = [(status, {}), (status, {"Retry-After": "1"}), (status, {"Retry-After": "0"})]
    waits = Waits()
    with client_of(remote, waits=waits) as client:
        client.get_manifest("app", "1")
    assert (remote.location, 1.0) in waits
    assert len(remote.of("GET", MANIFEST)) == 4


def test_an_upload_is_sent_again_after_a_wait(remote: Remote) -> None:
    remote.answers["PUT /v2/app/blobs/uploads/7"] = [(429, {"Retry-After": "0"})]
    with client_of(remote) as client:
        client.put_blob("app", b"new")
    assert remote.blobs["app", digest_of(b"new")] == b"new"


def test_a_wait_of_hours_is_an_error_at_once(remote: Remote) -> None:
    remote.answers[f"GET {MANIFEST}"] = [(429, {"Retry-After": "21600"})]
    with client_of(remote) as client, pytest.raises(RegistryError) as caught:
        client.get_manifest("app", "1")
    assert (caught.value.status, caught.value.details) == (429, ("it asks to wait 21600 seconds",))


def test_waits_come_to_an_end(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_FIRST", 0.001)
    remote.answers[f"GET {MANIFEST}"] = [(429, {})] * 50
    with client_of(remote) as client, pytest.raises(RegistryError) as caught:
        client.get_manifest("app", "1")
    assert caught.value.status == 429
    assert len(remote.of("GET", MANIFEST)) < 10


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12", 12),
        ("0", 0),
        ("", None),
        ("soon", None),
        ("-1", None),
        (f"Wed, 21 Oct 2015 07:28:00 +{'9' * 20}", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("٣", None),
    ],
)
def test_waits_are_read(text: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": text}) == seconds


def test_the_developers_own_registry_is_not_waited_for(remote: Remote) -> None:
    remote.answers[f"GET {MANIFEST}"] = [(503, {})]
    with RegistryClient(remote.base_url) as client, pytest.raises(RegistryError) as caught:
        client.get_manifest("app", "1")
    assert caught.value.status == 503


def test_a_download_that_breaks_goes_on(remote: Remote) -> None:
    data = bytes(range(256)) * 20_000
    remote.blob("app", data, "")
    remote.cuts[digest_of(data)] = 3_000_000
    with client_of(remote) as client:
        assert b"".join(client.blobs.read("app", digest_of(data))) == data
    ranges = [each.headers.get("Range") for each in remote.of("GET", digest_of(data))]
    assert ranges[0] is None
    assert str(ranges[1]).startswith("bytes=")


def test_an_upload_that_breaks_is_sent_again(remote: Remote) -> None:
    data = b"x" * 5_000_000
    remote.cuts[digest_of(data)] = 1_000_000
    with client_of(remote) as client:
        client.put_blob("app", data)
    assert remote.blobs["app", digest_of(data)] == data


def test_tags_come_in_pages(remote: Remote) -> None:
    for number in range(8):
        Shelf(remote, "many").image(f"{number}")
    with client_of(remote) as client:
        assert client.list_tags("many") == [f"{number}" for number in range(8)]


@pytest.mark.parametrize(("limit", "most"), [("_MOST_PAGES", 3), ("_MOST_BYTES", 40_000)])
def test_a_catalog_without_end_is_left(
    registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(f"localreg.oci.pages.{limit}", most)
    registry.tags = {f"app-{number:05}": {} for number in range(5000)}
    with RegistryClient(registry.base_url) as client, pytest.raises(RegistryError, match="without end"):
        list(client.iter_repositories())


def test_a_repository_that_no_push_creates_is_named(remote: Remote) -> None:
    remote.answers["POST /v2/new/blobs/uploads/"] = [(404, {})]
    with client_of(remote) as client, pytest.raises(RepositoryNotFoundError, match="`new`"):
        client.put_blob("new", b"x")


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Remote]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with remote_registry(host="localhost", tls=context) as opened:
        Shelf(opened, "app").image("1")
        yield opened


@pytest.fixture
def certificates(secure: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder for the CAs of the registry."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "containers" / "certs.d" / secure.location
    folder.mkdir(parents=True)
    return folder


def test_a_ca_that_the_engines_are_told_of_is_trusted(
    secure: Remote, certificates: Path, authority: trustme.CA
) -> None:
    authority.cert_pem.write_to_path(str(certificates / "ca.crt"))
    with_tokens(secure)
    assert read(secure, Credentials("dev", SECRET)) is None


def test_a_ca_that_the_system_trusts_is_trusted(
    secure: Remote, tmp_path: Path, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "bundle.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "bundle.pem"))
    assert read(secure) is None


def test_another_certificate_is_not(secure: Remote, certificates: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(certificates / "ca.crt"))
    error = read(secure)
    assert isinstance(error, RegistryUnreachableError)
    assert "not trusted" in error.message
    assert str(error.hint).endswith("ca.crt")
    assert not secure.asked


@pytest.mark.usefixtures("certificates")
def test_another_name_is_not(secure: Remote, certificates: Path, authority: trustme.CA) -> None:
    secure.base_url = secure.base_url.replace("localhost", "127.0.0.1")
    folder = certificates.parent / secure.location
    folder.mkdir()
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    error = read(secure)
    assert isinstance(error, RegistryUnreachableError)
    assert "127.0.0.1" in error.message


def test_a_file_that_is_no_certificate_is_named(secure: Remote, certificates: Path) -> None:
    (certificates / "ca.crt").write_text("not one\n")
    error = read(secure)
    assert error is not None
    assert "ca.crt" in error.message


@pytest.mark.parametrize(
    ("host", "plain_http", "reply", "scheme"),
    [
        ("registry.test:5000", False, None, "https"),
        ("localhost.registry.test:5000", False, None, "https"),
        ("127.0.0.1.registry.test", False, None, "https"),
        ("registry.test:5000", True, Reply.READY, "http"),
        ("registry.test:5000", True, Reply.NONE, "http"),
        ("registry.test:5000", True, Reply.SPEAKS_TLS, "https"),
        # Anyone on the way could answer at port 80.
        ("registry.test", True, None, "https"),
        ("registry.test:80", True, Reply.WANTS_LOGIN, "http"),
        # It sends clients on to TLS, or nothing listens at port 80.
        ("localhost", False, Reply.NONE, "https"),
        ("localhost:5000", False, Reply.READY, "http"),
        ("[::1]:5000", False, Reply.NONE, "http"),
        ("127.0.0.1:5000", False, Reply.SPEAKS_TLS, "https"),
        ("docker.io", True, None, "https"),
    ],
)
def test_plain_http_is_used_where_it_is_allowed_and_there_is_no_tls(
    monkeypatch: pytest.MonkeyPatch, *, host: str, plain_http: bool, reply: Reply | None, scheme: str
) -> None:
    asked: list[str] = []

    def answer(url: str) -> Reply | None:
        asked.append(url)
        return reply

    def keep(url: str, **_options: object) -> str:
        return url

    monkeypatch.setattr("localreg.oci.remote.ask", answer)
    monkeypatch.setattr("localreg.oci.remote.RegistryClient", keep)
    opened = open_client(host, plain_http=plain_http, on_wait=Waits())
    assert str(opened).partition(":")[0] == scheme
    assert asked == ([] if reply is None else [f"http://{host}"])


def test_a_registry_without_tls_is_named(remote: Remote) -> None:
    remote.base_url = remote.base_url.replace("http:", "https:")
    error = read(remote)
    assert isinstance(error, RegistryUnreachableError)
    assert "--plain-http" in str(error.hint)


def test_a_password_stays_within_tls(secure: Remote, certificates: Path, authority: trustme.CA, other: Remote) -> None:
    authority.cert_pem.write_to_path(str(certificates / "ca.crt"))
    secure.users["dev"], secure.realm = SECRET, f"{other.base_url}/token"
    error = read(secure, Credentials("dev", SECRET))
    assert isinstance(error, RegistryError)
    assert not other.asked
    secure.users.clear()
    secure.realm, secure.blobs_at, secure.uploads_at = "", f"{other.base_url}/v2/app/blobs/", other.base_url
    assert read(secure) is not None
    with client_of(secure) as client, pytest.raises(RegistryError, match="TLS"):
        client.put_blob("app", b"new")
    assert not other.asked


def test_a_slow_answer_within_tls_is_given_up(secure: Remote, certificates: Path, authority: trustme.CA) -> None:
    authority.cert_pem.write_to_path(str(certificates / "ca.crt"))
    secure.drips = 0.05
    access = Access(secure.location)
    with (
        RegistryClient(secure.base_url, timeout=0.4, access=access) as client,
        pytest.raises(RegistryUnreachableError, match=r"\b0\.4\b"),
    ):
        client.get_manifest("app", "1")


# A proxy


class Proxy(socketserver.ThreadingTCPServer):
    """Takes every CONNECT to one server, whatever name it asks for."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _ProxyHandler)
        self.target = target
        self.heads: list[str] = []


class _ProxyHandler(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        head = "".join(line.decode() for line in iter(self.rfile.readline, b"\r\n"))
        self.server.heads.append(head)
        with socket.create_connection(("127.0.0.1", self.server.target)) as there:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=self.pump, args=(there, self.connection))
            back.start()
            self.pump(self.connection, there)
            back.join()

    @staticmethod
    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


def test_a_proxy_is_used_where_the_environment_names_one(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("registry.test").configure_cert(context)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "containers/certs.d/registry.test").mkdir(parents=True)
    authority.cert_pem.write_to_path(str(tmp_path / "containers/certs.d/registry.test/ca.crt"))
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with remote_registry(tls=context) as served, Proxy(int(served.location.rpartition(":")[2])) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True, kwargs={"poll_interval": 0.01}).start()
        monkeypatch.setenv("https_proxy", f"http://me:{SECRET}@127.0.0.1:{proxy.server_address[1]}")
        Shelf(served, "app").image("1")
        served.base_url = "https://registry.test"
        assert read(served) is None
        assert proxy.heads[0].startswith("CONNECT registry.test:443 ")
        assert basic("me", SECRET) in proxy.heads[0]
        assert not [each for each in served.asked if "Proxy-Authorization" in each.headers]
        proxy.shutdown()
        monkeypatch.setenv("https_proxy", f"http://me:{SECRET}@127.0.0.1:1")
        error = read(served)
        assert isinstance(error, RegistryUnreachableError)
        assert "HTTPS_PROXY" in error.message
        assert SECRET not in f"{error!r}{error.details}"


# The words of a challenge


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", None),
        ("Negotiate", None),
        ("Basic", Challenge("basic")),
        ('Basic realm="a, registry"', Challenge("basic")),
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull"',
            Challenge(
                "bearer",
                "https://auth.docker.io/token",
                "registry.docker.io",
                frozenset({"repository:a/b:pull"}),
            ),
        ),
        ('bearer service=s, realm="https://h/t"', Challenge("bearer", "https://h/t", "s")),
        ('Basic realm="x", Bearer realm="https://h/\\"t"', Challenge("bearer", 'https://h/"t')),
        ('Bearer realm="https://h/t", Basic realm="x"', Challenge("bearer", "https://h/t")),
        ('Bearer scope="x"', None),
    ],
)
def test_challenges_are_read(header: str, found: Challenge | None) -> None:
    assert read_challenge(header) == found


def test_what_a_request_needs_is_in_its_path() -> None:
    assert scopes_of("GET", "/v2/a/b/manifests/1") == {"repository:a/b:pull"}
    assert scopes_of("PUT", "/v2/a/manifests/b/manifests/1") == {"repository:a/manifests/b:pull,push"}
    mount = scopes_of("POST", "/v2/a/blobs/uploads/?mount=sha256:0&from=b%2Fc")
    assert mount == {"repository:a:pull,push", "repository:b/c:pull"}
    assert repository_of(mount) == "a"
    assert scopes_of("GET", "/v2/_catalog?n=1") == {"registry:catalog:*"}
    assert scopes_of("GET", "/v2/") == frozenset()
    assert joined(mount, frozenset({"repository:b/c:pull,push"})) == [
        "repository:a:pull,push",
        "repository:b/c:pull,push",
    ]


@pytest.mark.parametrize(
    "proxy", ["socks5://dev:hunter2@localhost:1080", "http://dev:hunter2@localhost:port", "http://["]
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "" if name.lower() == "no_proxy" else proxy)
    with (
        RegistryClient("https://registry.invalid", access=Access("registry.invalid")) as client,
        pytest.raises(ConfigError, match="HTTPS_PROXY cannot be used") as caught,
    ):
        client.get_manifest("app", "1")
    assert SECRET not in caught.value.message
