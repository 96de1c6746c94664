"""Each client in each way to a registry: without trust, after `localreg trust` and after `localreg untrust`.

Every program that the machine has is driven, so `make matrix` runs this with newer releases, and with crane, oras,
Buildah and the BuildKit in Docker. Where each cell is shown:

| client | plain HTTP, TLS, login, wrong password, expired, other name, IPv6 | the registry of `up`, its login |
|---|---|---|
| Docker, both stores | here | test_trust.py, test_login.py, test_tls.py |
| BuildKit in Docker | here, where there is buildx | |
| Podman, with and without root | here | test_trust.py, test_login.py, test_tls.py |
| skopeo, Buildah | here | test_tls.py |
| containerd, by `ctr` | here | tests/integration/test_trust_containerd.py |
| containerd, by its CRI | by hand, 1.6 and 2.1 | |
| buildkitd | by hand, 0.32 | |
| crane, oras | here, with their options | |

What they say of other faults is in test_errors_of_others.py.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from support.engines.images import write_image
from support.engines.real import BEDS, Bed
from support.registries.distribution import serving

from localreg.explain.find import explain

pytestmark = pytest.mark.together

HERE = "192.0.2.1"
"""The sandbox's address that is not loopback."""
OK = "works"
HTPASSWD = "dev:$2b$04$kYN/jiyUsGdDGL7RIvS7f.LJATZMUJRQKxoXmbUotWcRBJxCs4YtW\n"
LOGINS = {"login": "dev:secret", "wrong password": "dev:wrong"}

AFTER = {
    "http": OK,
    "tls": OK,
    "login": OK,
    "no login": "login-missing",
    "wrong password": "login-missing",
    "expired": "certificate-expired",
    "other name": "certificate-for-another-name",
}
"""At an address that is not loopback, all programs end alike: with the name of the explanation of what they say."""


@dataclass(frozen=True)
class Program:
    """A program that asks a registry for an image."""

    name: str
    of: str
    """What explanations call it."""
    ask: str
    """The command: `{image}` is the image, `{dockerfile}` begins with it, and `{option}` is where options go."""
    plain: str
    """The explanation of what it says of plain HTTP where it expects TLS."""
    loopback: Mapping[str, tuple[str, str]]
    """By the way to a registry on loopback, the outcome without trust and with it; releases differ with ` or `."""
    options: Mapping[str, str] | None = None
    """What makes it work if `localreg trust` does not know it."""

    def __str__(self) -> str:
        return self.name

    @property
    def is_here(self) -> bool:
        """This machine has it."""
        words = self.ask.split()
        if shutil.which(words[0]) is None:
            return False
        return words[1] != "build" or BEDS["docker"].run("docker", "buildx", "version").returncode == 0

    @property
    def before(self) -> dict[str, str]:
        """The outcome by way, without trust."""
        near = {way: outcome for way, (outcome, _) in self.loopback.items()}
        return {"http": self.plain, "tls": "unknown-authority", **near}

    @property
    def after(self) -> dict[str, str]:
        """The outcome by way, with trust."""
        return AFTER | {way: outcome for way, (_, outcome) in self.loopback.items()}


_UNCHECKED = dict.fromkeys(["localhost http", "localhost tls", "localhost expired", "localhost other name"], (OK, OK))
_LIKE_PODMAN = {
    "localhost http": ("podman-plain-http", OK),
    "localhost tls": ("unknown-authority", OK),
    "localhost expired": ("certificate-expired", "certificate-expired"),
    "localhost other name": ("certificate-for-another-name", "certificate-for-another-name"),
    "[::1] http": ("invalid-reference", "invalid-reference"),
    "[::1] tls": ("invalid-reference", "invalid-reference"),
}
_DOCKER = Program(
    "docker",
    "docker",
    "docker pull -q {image}",
    "docker-plain-http or containerd-plain-http",
    {
        **_UNCHECKED,
        "[::1] http": (f"{OK} or invalid-reference",) * 2,
        "[::1] tls": (f"{OK} or invalid-reference",) * 2,
    },
)
_BUILD = Program(
    "docker build",
    "buildkit",
    "docker build -q --pull -f {dockerfile} {empty}",
    "containerd-plain-http",
    {**_UNCHECKED, "[::1] http": (OK, OK), "[::1] tls": (OK, OK)},
)
_PODMAN = Program("podman", "podman", "podman pull -q {image}", "podman-plain-http", _LIKE_PODMAN)
_SKOPEO = Program("skopeo", "skopeo", "skopeo inspect --raw docker://{image}", "podman-plain-http", _LIKE_PODMAN)
_BUILDAH = Program("buildah", "buildah", "buildah pull -q --policy always {image}", "podman-plain-http", _LIKE_PODMAN)
_CTR = Program(
    "ctr",
    "containerd",
    "ctr content fetch-object --hosts-dir /etc/containerd/certs.d {option} {image}",
    "containerd-plain-http",
    {
        "localhost http": (OK, OK),
        "localhost tls": (f"{OK} or containerd-400", OK),
        "localhost expired": (f"{OK} or containerd-400", "certificate-expired"),
        "localhost other name": (f"{OK} or containerd-400", "certificate-for-another-name"),
        "[::1] http": (OK, OK),
        "[::1] tls": (f"{OK} or containerd-400", OK),
    },
)
_CRANE = Program(
    "crane",
    "crane",
    "crane manifest {option} {image}",
    "plain-http",
    {
        "localhost http": (OK, OK),
        "localhost tls": ("unknown-authority", OK),
        "localhost expired": ("certificate-expired", "certificate-expired"),
        "localhost other name": ("certificate-for-another-name", "certificate-for-another-name"),
        "[::1] http": (OK, OK),
        "[::1] tls": ("unknown-authority", OK),
    },
    {"http": "--insecure", "tls": "SSL_CERT_FILE={ca}"},
)
_ORAS = Program(
    "oras",
    "oras",
    "oras manifest fetch {option} {image}",
    "plain-http",
    {
        "localhost http": (OK, OK),
        "localhost tls": ("containerd-400", OK),
        "localhost expired": ("containerd-400", "certificate-expired"),
        "localhost other name": ("containerd-400", "certificate-for-another-name"),
        "[::1] http": ("plain-http", OK),
        "[::1] tls": ("unknown-authority", OK),
    },
    {"http": "--plain-http", "tls": "--plain-http=false --ca-file={ca}"},
)


@dataclass(frozen=True)
class Ways:
    """Registries that all have the same images."""

    folder: Path
    places: Mapping[str, str]
    """`HOST:PORT` by the way to it."""

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    def outcomes(
        self,
        bed: Bed,
        program: Program,
        image: str,
        ways: Sequence[str] = (),
        *,
        options: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """What becomes of a program in each way: `OK`, or the explanation of what it says, or its text without one.

        Args:
            bed: Who runs it.
            program: The program.
            image: An image that BuildKit was not asked for before, because it remembers how it reached one.
            ways: All of them by default.
            options: As in `Program`.
        """
        return {way: self._outcome(bed, program, image, way, options or {}) for way in ways or self.places}

    def _outcome(self, bed: Bed, program: Program, image: str, way: str, options: Mapping[str, str]) -> str:
        place, login = self.places[way], LOGINS.get(way)
        config = self.folder / way
        config.mkdir(exist_ok=True)
        auth = {place: {"auth": base64.b64encode(login.encode()).decode()}} if login else {}
        (config / "config.json").write_text(json.dumps({"auths": auth}))
        (config / image).write_text(f"FROM {place}/{image}:1\n")
        option = options.get("http" if "http" in way else "tls", "").format(ca=self.ca)
        variables = {"DOCKER_CONFIG": str(config), "REGISTRY_AUTH_FILE": str(config / "config.json")}
        if option.startswith("SSL_CERT_FILE="):
            variables["SSL_CERT_FILE"], option = option.partition("=")[2], ""
        if program is _CTR and login:
            option = f"--user {login}"
        asked = program.ask.replace("{option}", option)
        words = {"image": f"{place}/{image}:1", "dockerfile": config / image, "empty": self.folder / "empty"}
        ended = bed.run(*(word.format_map(words) for word in shlex.split(asked)), env=variables)
        if ended.returncode == 0:
            return OK
        said = f"{ended.stdout}\n{ended.stderr}"
        known = next(iter(explain(said)), None)
        if known is None:
            return said
        assert program.of in known.of or known.name == "invalid-reference", (program.name, known.name, said)
        return known.name


@pytest.fixture(scope="module")
def ways(registry_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    folder = tmp_path_factory.mktemp("ways")
    for path in (folder, *list(folder.parents)[:2]):
        path.chmod(0o755)
    (folder / "empty").mkdir()
    (folder / "htpasswd").write_text(HTPASSWD)
    (images := folder / "images").mkdir()
    ca, now = trustme.CA(), datetime.now(UTC)
    ca.cert_pem.write_to_path(str(folder / "ca.crt"))
    names = ("localhost", "::1", HERE)
    certificates = {
        "tls": ca.issue_cert(*names),
        "login": ca.issue_cert(*names),
        "expired": ca.issue_cert(*names, not_before=now - timedelta(days=9), not_after=now - timedelta(days=1)),
        "other name": ca.issue_cert("other.example", "192.0.2.9"),
    }
    ports = {}
    with contextlib.ExitStack() as stack:
        for way in ("http", *certificates):
            pem, root = folder / f"{way}.pem", folder / f"{way}-root"
            root.symlink_to(images)
            tls = ""
            if way in certificates:
                certificates[way].private_key_and_cert_chain_pem.write_to_path(str(pem))
                tls = f"tls: {{certificate: '{pem}', key: '{pem}'}}"
            more = f"auth: {{htpasswd: {{realm: r, path: {folder}/htpasswd}}}}\n" if way == "login" else ""
            served = stack.enter_context(serving(registry_program, root, http=tls, more=more, host=""))
            ports[way] = served.location.rpartition(":")[2]
        _fill(images, folder, f"localhost:{ports['http']}")
        places = {way: f"{HERE}:{port}" for way, port in ports.items()}
        places |= dict.fromkeys(["no login", "wrong password"], places["login"])
        places |= {f"localhost {way}": f"localhost:{port}" for way, port in ports.items() if way != "login"}
        places |= {f"[::1] {way}": f"[::1]:{ports[way]}" for way in ("http", "tls")}
        yield Ways(folder, places)


def _fill(images: Path, folder: Path, place: str) -> None:
    write_image(folder / "image.tar", "localhost/app:1", {"content": "app"}, can_run=False)
    copy = ["skopeo", "copy", "--dest-tls-verify=false", f"docker-archive:{folder}/image.tar"]
    copied = BEDS["docker"].run(*copy, f"docker://{place}/before:1")
    assert copied.returncode == 0, copied.stderr
    repositories = images / "docker/registry/v2/repositories"
    for name in ("after", "again"):
        shutil.copytree(repositories / "before", repositories / name)


def _check(found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    assert {way: outcome for way, outcome in found.items() if outcome not in expected[way].split(" or ")} == {}


@pytest.mark.parametrize(
    ("client", "bed_name", "programs"),
    [
        ("docker", "docker", (_DOCKER, _BUILD)),
        ("podman", "podman-rootful", (_PODMAN,)),
        ("podman", "podman-rootless", (_PODMAN, _SKOPEO, _BUILDAH)),
        ("containerd", "docker", (_CTR,)),
    ],
    ids=["docker", "podman-rootful", "podman-rootless", "containerd"],
)
def test_programs_that_localreg_tells(ways: Ways, client: str, bed_name: str, programs: Sequence[Program]) -> None:
    bed = BEDS[bed_name]
    here = [program for program in programs if program.is_here]
    for program in here:
        _check(ways.outcomes(bed, program, "before", list(program.before)), program.before)
    for kind in ("http", "tls"):
        places = dict.fromkeys(place for way, place in ways.places.items() if ("http" in way) == (kind == "http"))
        locations = [word for place in places for word in ("--location", place)]
        ca = ["--ca", str(ways.ca)] if kind == "tls" else []
        done = bed.localreg("--name", kind, "trust", client, *locations, *ca)
        # The client itself says that two of the certificates are no good.
        assert done.returncode == (7 if ca else 0), done.stderr
        assert [word in done.stderr for word in ("expired", "192.0.2.9")] == [bool(ca)] * 2
    for program in here:
        _check(ways.outcomes(bed, program, "after"), program.after)
    for kind in ("http", "tls"):
        bed.ok("--name", kind, "untrust", client)
    for program in here:
        _check(ways.outcomes(bed, program, "again", ["http", "tls", "localhost tls"]), program.before)


@pytest.mark.parametrize("program", [each for each in (_CRANE, _ORAS) if each.is_here] or [None], ids=str)
def test_programs_that_take_options(ways: Ways, program: Program | None) -> None:
    if program is None:
        # Debian 12 has neither.
        return
    bed = BEDS["docker"]
    _check(ways.outcomes(bed, program, "before", list(program.before)), program.before)
    _check(ways.outcomes(bed, program, "after", options=program.options), program.after)
