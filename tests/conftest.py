"""What all tests share: the real engines, a real registry, and the promise that every engine was really used."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Generator, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings
from support.engines.real import BEDS, REGISTRY_IMAGE, Bed, Distribution, is_free, require_testbed
from support.engines.used import keep_wanted
from support.faults.table import Fault, faults_of
from support.registries.distribution import serving
from support.registries.fake import FakeRegistry, fake_registry
from support.shared_queue import ENGINES_RAN, shared_queue
from support.tunnels.far_host import FarHost, far_host

from localreg.engines.discovery import select
from localreg.errors import EngineUnavailableError
from localreg.registry.program import RegistryProgram, image_around
from localreg.system.waiting import wait_until

# A machine that is busy with engines is no reason to fail: how long an example takes is not what is tested.
settings.register_profile("testbed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("testbed")

# These need the package index, which the sandbox does not reach: tests/testbed/packaging runs them.
collect_ignore = ["packaging"] if os.environ.get("LOCALREG_TESTBED") else []

# What runs in the background of a script ignores Ctrl-C, what nohup started the end of a terminal, and so would all
# that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

_exercised: set[str] = set()
_queue = shared_queue()


def pytest_configure(config: pytest.Config) -> None:
    if _queue:
        config.pluginmanager.register(_queue)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The account of which engines were used comes after everything that uses one.
    items.sort(key=lambda item: item.path.name == ENGINES_RAN)
    keep_wanted(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("LOCALREG_TESTBED"):
        report.outcome = "failed"
        report.longrepr = f"it was skipped, and here is all that a test needs: {report.longrepr}"
    if report.when == "call" and report.passed:
        used = {str(value) for name, value in item.user_properties if name == "engine"}
        _exercised.update(used)
        if _queue:
            _queue.add_engines(used)
    return report


@pytest.fixture
def exercised() -> set[str]:
    """The engines that a test has passed on so far."""
    return _queue.engines() if _queue else _exercised


def open_to_everybody(folder: Path) -> None:
    """Let the unprivileged user in: pytest makes its folders for their owner alone."""
    for path in (folder, *list(folder.parents)[:2]):
        path.chmod(0o755)


@pytest.fixture(scope="session")
def registry_program() -> Path:
    """Distribution 2.8.3's own program."""
    require_testbed()
    program = Path(os.environ["LOCALREG_TEST_REGISTRY"])
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert " 2.8.3" in version, f"{program} is not Distribution 2.8.3: {version}"
    return program


@pytest.fixture(scope="session")
def registry_archive(registry_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A docker-archive with an image of Distribution 2.8.3."""
    folder = tmp_path_factory.mktemp("registry-image")
    open_to_everybody(folder)
    with image_around(RegistryProgram(registry_program, "2.8.3")) as archive:
        shutil.copyfile(archive, folder / "registry.tar")
    return folder / "registry.tar"


_baseline: dict[str, set[str]] = {}


@pytest.fixture(params=["docker", "podman-rootless"])
def bed(request: pytest.FixtureRequest, registry_archive: Path) -> Iterator[Bed]:
    """Docker, then rootless Podman, with the registry's image and nothing else.

    The rootful one comes where a test is marked `on_every_engine`.
    """
    with _made(BEDS[request.param], request, registry_archive) as found:
        yield found


@pytest.fixture(params=["podman-rootless"])
def podman(request: pytest.FixtureRequest, registry_archive: Path) -> Iterator[Bed]:
    """Rootless Podman, for what Docker has no part in; the rootful one where a test is marked `on_each_podman`."""
    with _made(BEDS[request.param], request, registry_archive) as found:
        yield found


@pytest.fixture
def docker(request: pytest.FixtureRequest, registry_archive: Path) -> Iterator[Bed]:
    """The real Docker, where one engine is enough."""
    with _made(BEDS["docker"], request, registry_archive) as found:
        yield found


@pytest.fixture(scope="module")
def docker_with_registry(registry_archive: Path) -> Iterator[Bed]:
    """The real Docker with a registry, for a file whose tests leave both as they are and are marked `together`."""
    with _prepared(BEDS["docker"], registry_archive) as found:
        found.up()
        yield found


@pytest.fixture
def rootful(request: pytest.FixtureRequest, registry_archive: Path) -> Iterator[Bed]:
    """Rootful Podman, for what happens on the way to its containers."""
    with _made(BEDS["podman-rootful"], request, registry_archive) as found:
        yield found


@pytest.fixture
def rootless(request: pytest.FixtureRequest, registry_archive: Path) -> Iterator[Bed]:
    """Rootless Podman, for what only a Podman has and every one the same."""
    with _made(BEDS["podman-rootless"], request, registry_archive) as found:
        yield found


@pytest.fixture
def pair(request: pytest.FixtureRequest, registry_archive: Path) -> Iterator[tuple[Bed, Bed]]:
    """Docker and rootless Podman at the same time, where a time-out has to pass."""
    with (
        _made(BEDS["docker"], request, registry_archive) as docker,
        _made(BEDS["podman-rootless"], request, registry_archive) as podman,
    ):
        yield docker, podman


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarHost]:
    """Another machine that lets us in through ssh."""
    require_testbed()
    open_to_everybody(tmp_path)
    with far_host(tmp_path) as found:
        yield found


@pytest.fixture
def faults(request: pytest.FixtureRequest) -> tuple[Fault, ...]:
    """What the test says that it shows."""
    return faults_of(request.function)


@pytest.fixture
def shown(faults: tuple[Fault, ...]) -> Fault:
    """The one fault that the test says that it shows."""
    (fault,) = faults
    return fault


@contextlib.contextmanager
def _made(found: Bed, request: pytest.FixtureRequest, registry_archive: Path) -> Iterator[Bed]:
    request.node.user_properties.append(("engine", found.name))
    with _prepared(found, registry_archive):
        yield found


@contextlib.contextmanager
def _prepared(found: Bed, registry_archive: Path) -> Iterator[Bed]:
    if found.name not in _baseline:
        found.api.load(registry_archive)
        found.api.name_image(REGISTRY_IMAGE, "docker.io/library/registry:2.8.3")
        _baseline[found.name] = found.images()
    yield found
    found.clean(_baseline[found.name])
    # What forwarded it goes a moment after its container; one that stayed would be in the way of every test after this.
    if not wait_until(lambda: is_free(5000), seconds=20):
        listeners = subprocess.run(["ss", "-tanpe"], capture_output=True, text=True, check=True).stdout
        processes = "\n".join(f"{process.pid} {process.cmdline()}" for process in psutil.process_iter())
        pytest.fail(f"somebody still listens on port 5000:\n{listeners}\n{processes}", pytrace=False)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that every user can read; in the sandbox always the same, as it stands on screens that are kept."""
    if not os.environ.get("LOCALREG_TESTBED"):
        yield tmp_path
        return
    path = Path("/tmp/test")
    path.mkdir()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """A registry in this process."""
    with fake_registry() as found:
        yield found


@pytest.fixture
def without_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No engine, and no login of the user who runs the tests."""

    def fail(*_args: object, **_kwargs: object) -> None:
        raise EngineUnavailableError("no engine")

    monkeypatch.setattr(select, "select_engine", fail)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def nothing_is_young(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was pushed a moment ago may be waste, and no push that is under way is waited for."""
    monkeypatch.setattr("localreg.content.collector._YOUNG_SECONDS", -60)
    monkeypatch.setattr("localreg.content.collector._ANSWER_SECONDS", 0)


@pytest.fixture
def distribution(request: pytest.FixtureRequest, registry_program: Path, tmp_path: Path) -> Iterator[Distribution]:
    """A real Distribution 2.8.3 on loopback, deleting enabled."""
    request.node.user_properties.append(("engine", "distribution"))
    with serving(registry_program, tmp_path / "registry") as served:
        yield served
