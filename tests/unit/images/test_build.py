"""What can be built, and what it is called."""

from __future__ import annotations

import base64
import errno
import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from support.engines.fake import FakeEngine
from typer.main import get_command

from localreg.cli.build import app
from localreg.engines.build import Builder, BuildRequest, RegistryLogin
from localreg.engines.values import AnonymousMount, ContainerSpec, EngineInfo, EngineName
from localreg.errors import (
    BuildFailedError,
    EngineError,
    InvalidReferenceError,
    LocalregError,
    RegistryError,
    UsageError,
)
from localreg.images.build import check_request, find_missing_login, plan_build, push_built, run_build
from localreg.images.transfer import Transfer
from localreg.oci.access import Credentials
from localreg.oci.reference import Reference
from localreg.registry.container import Registry, find_registry, labels_of, volume_labels
from localreg.registry.options import RegistryOptions
from localreg.settings import SETTINGS
from localreg.system.address import Address

BUILDER = Builder("docker build", ("docker", "build"), {}, recipes=("Dockerfile",))
REQUEST = BuildRequest(".", names=("app",))
TRANSFER = Transfer("app", Reference("localhost:5000", "app", "latest"))
OTHER_ID = f"sha256:{'0' * 64}"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def registry(engine: FakeEngine) -> Registry:
    engine.add_image("registry:2.8.3")
    address = Address("127.0.0.1", 5000)
    return Registry(
        engine.create_container(ContainerSpec("registry", "registry:2.8.3", 5000, address, AnonymousMount("/data")))
    )


def refusal(request: BuildRequest, *names: str) -> LocalregError:
    with pytest.raises(UsageError) as caught:
        check_request(replace(request, names=names))
    return caught.value


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("ansible-playbook", "ansible-playbook"),
        ("My App (2)", "my-app-2"),
        ("site.example", "site.example"),
        ("_build_", "build"),
        ("a__b", "a__b"),
    ],
)
def test_the_name_is_that_of_the_folder(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    assert check_request(BuildRequest(str(tmp_path / folder))) == (name,)


@pytest.mark.parametrize("folder", ["+", "übung", "a.-b", "0" * 64])
def test_a_folder_whose_name_cannot_be_an_images(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    error = refusal(BuildRequest(str(tmp_path / folder)))
    assert f"`{folder}`" in error.message
    assert str(error.hint).endswith(" -t NAME")
    assert check_request(BuildRequest(str(tmp_path / folder), names=("app",))) == ("app",)


@pytest.mark.parametrize("context", ["-", "https://example.com/app.git#main", "git@example.com:app.git"])
def test_what_is_no_folder_says_no_name(context: str) -> None:
    assert refusal(BuildRequest(context)).hint == f"localreg build {context} -t NAME".replace(
        "https://example.com/app.git#main", "'https://example.com/app.git#main'"
    )
    assert check_request(BuildRequest(context, names=("app",))) == ("app",)


def test_a_folder_without_a_name_is_not_the_current_one() -> None:
    """As where a variable of a script is empty."""
    error = refusal(BuildRequest("", no_cache=True), "app")
    assert error.hint == "localreg build PATH -t app --no-cache"


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    # Root, who may run the tests, can read every folder.
    monkeypatch.setattr(os, "scandir", refuse)
    message = refusal(BuildRequest(str(tmp_path))).message
    assert f"`{tmp_path}`" in message
    assert "permission denied" in message


def test_what_is_not_there(tmp_path: Path) -> None:
    message = refusal(BuildRequest(f"{tmp_path}/nosuch")).message
    assert f"`{tmp_path}/nosuch`" in message
    assert "no such file or directory" in message
    (tmp_path / "Dockerfile").touch()
    error = refusal(BuildRequest(f"{tmp_path}/Dockerfile"))
    assert error.hint == f"localreg build {tmp_path} --file {tmp_path}/Dockerfile"
    # Named from here, as by docker, and not from the folder.
    error = refusal(BuildRequest(str(tmp_path), file="Dockerfile"))
    assert error.hint == f"localreg build {tmp_path} --file {tmp_path}/Dockerfile"
    error = refusal(BuildRequest(str(tmp_path), file="nosuch"))
    assert "`nosuch`" in error.message
    assert error.hint == f"localreg build {tmp_path} --file FILE"
    check_request(BuildRequest(str(tmp_path), file="-", names=("app",)))


def test_a_current_folder_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert refusal(BuildRequest(".")).hint == "cd"


def test_no_option_is_taken_for_a_setting_of_that_name() -> None:
    options = {str(param.name).replace("_", "-") for param in get_command(app).params}
    assert "no-cache" in options
    assert not options & {setting.name for setting in SETTINGS}


def test_names_and_platforms_that_are_none(tmp_path: Path) -> None:
    request = BuildRequest(str(tmp_path))
    for name in ("App", f"app@sha256:{'0' * 64}"):
        error = refusal(request, name)
        assert isinstance(error, InvalidReferenceError)
        assert f"`{name}`" in error.message
    error = refusal(BuildRequest(str(tmp_path), platform="linux/amd64,linux/arm64"), "app")
    assert error.hint == f"localreg build {tmp_path} -t app --platform linux/amd64"


def everything(request: BuildRequest) -> BuildRequest:
    """With each option that a command line may have."""
    return replace(
        request,
        build_args=("A=b c", "B"),
        target="base",
        ssh=("default",),
        secrets=("id=token",),
        platform="linux/amd64",
        no_cache=True,
    )


def test_hints_repeat_what_was_typed(engine: FakeEngine, registry: Registry, tmp_path: Path) -> None:
    """As typed they build the same in another way, and nothing else."""
    options = "--build-arg 'A=b c' --build-arg B --target base --ssh default --secret id=token"
    request = everything(BuildRequest(f"{tmp_path}"))
    start, end = f"localreg build {tmp_path} -t x:1 -t y", f"{options} --platform linux/amd64 --no-cache"
    several = replace(request, platform="linux/amd64,linux/arm64")
    assert refusal(several, "x:1", "y").hint == f"{start} {end}"
    assert refusal(replace(request, file="no"), "x:1", "y").hint == f"{start} --file FILE {end}"
    with pytest.raises(UsageError, match="Dockerfile") as caught:
        plan_build(BUILDER, engine, registry, replace(request, names=("x:1", "y")), ["x:1", "y"])
    assert caught.value.hint == f"{start} --file FILE {end}"
    (tmp_path / "Dockerfile").touch()
    file = replace(request, context=f"{tmp_path}/Dockerfile")
    assert refusal(file, "x:1", "y").hint == f"{start} --file {tmp_path}/Dockerfile {end}"
    gone = replace(request, context=f"{tmp_path}/gone", file="-")
    assert refusal(gone, "x:1", "y").hint == f"localreg build PATH -t x:1 -t y --file - {end}"
    assert refusal(replace(request, context="-")).hint == f"localreg build - -t NAME {end}"
    assert BuildRequest(".", names=("x",)).as_command() == "localreg build -t x"
    assert BuildRequest("-x").as_command() == "localreg build ./-x"


def test_each_name_in_the_registry_comes_once(engine: FakeEngine, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").touch()
    names = ["app", "ghcr.io/team/api:1", "localhost:5000/app:latest"]
    plan = plan_build(BUILDER, engine, registry, BuildRequest(str(tmp_path)), names)
    assert [(transfer.source, str(transfer.reference)) for transfer in plan] == [
        ("app", "localhost:5000/app:latest"),
        ("ghcr.io/team/api:1", "localhost:5000/team/api:1"),
    ]


@pytest.mark.parametrize(
    ("there", "named"), [("Containerfile", "{}/Containerfile"), ("Dockerfile.dockerignore", "FILE")]
)
def test_a_folder_without_a_dockerfile(
    engine: FakeEngine, registry: Registry, tmp_path: Path, there: str, named: str
) -> None:
    (tmp_path / there).touch()
    with pytest.raises(UsageError, match="Dockerfile") as caught:
        plan_build(BUILDER, engine, registry, BuildRequest(str(tmp_path)), ["app"])
    assert caught.value.hint == f"localreg build {tmp_path} --file {named.format(tmp_path)}"


def test_what_could_not_be_pushed_is_not_built(engine: FakeEngine, registry: Registry) -> None:
    engine.expecting_tls.add("localhost:5000")
    # Another registry may speak TLS.
    assert plan_build(BUILDER, engine, registry, BuildRequest("-"), ["app"])
    registry = Registry(replace(registry.container, labels=volume_labels("registry")))
    with pytest.raises(RegistryError, match="HTTPS for localhost:5000"):
        plan_build(BUILDER, engine, registry, BuildRequest("-"), ["app"])


def test_an_ssh_agent_does_not_get_to_another_machine(engine: FakeEngine, registry: Registry) -> None:
    builder = Builder("podman build", ("podman",), {}, recipes=(), takes_ssh=False)
    with pytest.raises(UsageError, match="--ssh"):
        plan_build(builder, engine, registry, BuildRequest("-", ssh=("default",)), ["app"])


@pytest.mark.parametrize(
    ("script", "numbers"),
    [
        ("echo said; exit 3", ["3"]),
        ("echo said; kill -KILL $$", ["9"]),
        ("echo said", []),
    ],
)
def test_a_build_that_fails_unseen_says_what_was_said(script: str, numbers: list[str]) -> None:
    builder = Builder("podman build", ("/bin/sh", "-c", script), {}, recipes=(), reports_id=True)
    with pytest.raises(BuildFailedError) as caught:
        run_build(builder, BuildRequest("-"), (), output=None)
    assert "`podman build`" in caught.value.message
    assert re.findall(r"-?\d+", caught.value.message) == numbers
    assert caught.value.details == ("said",)


@pytest.mark.parametrize(
    ("requires", "own", "engines", "user"),
    [
        (True, "me", None, "me"),
        (True, "me", "them", None),
        (True, None, None, None),
        (False, "me", None, None),
    ],
)
def test_the_builder_is_lent_the_login_that_only_localreg_has(
    engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    requires: bool,
    own: str | None,
    engines: str | None,
    user: str | None,
) -> None:
    engine.add_image("registry:2.8.3")
    options = RegistryOptions(auth=requires or None)
    labels = labels_of("registry", asked=options, options=options)
    address, mount = Address("127.0.0.1", 5000), AnonymousMount("/data")
    container = engine.create_container(ContainerSpec("a", "registry:2.8.3", 5000, address, mount, labels=labels))
    engine.start_container(container.id)
    registry = find_registry(engine, "a")
    assert registry is not None
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME", "DOCKER_CONFIG"):
        monkeypatch.setenv(variable, str(tmp_path))
    for folder, name in (("localreg/auth.json", own), ("config.json", engines)):
        if name is not None:
            (tmp_path / folder).parent.mkdir(exist_ok=True)
            secret = base64.b64encode(f"{name}:secret".encode()).decode()
            (tmp_path / folder).write_text(json.dumps({"auths": {"localhost:5000": {"auth": secret}}}))
    found = find_missing_login(registry)
    assert (found and found.credentials.user) == user
    assert found is None or found.location == "localhost:5000"
    assert "secret" not in repr(found)


@pytest.mark.parametrize("lends", [True, False])
def test_a_login_is_lent_in_a_folder_that_goes_after_the_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, lends: bool
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    runtime = tmp_path / "localreg"
    ended = subprocess.Popen(["true"])
    ended.wait()
    for left in (f"build-{ended.pid}-killed", f"build-{os.getpid()}-running"):
        (runtime / left).mkdir(parents=True, mode=0o700)
        (runtime / left / "config.json").touch()
    runtime.chmod(0o700)

    def lend(folder: Path, login: RegistryLogin) -> Mapping[str, str]:
        (folder / "login").write_text(login.location)
        return {"FOLDER": str(folder)}

    script = 'test "$(cat "$FOLDER/login")" = here' if lends else 'test -z "$FOLDER"'
    builder = Builder("a", ("/bin/sh", "-c", script, "sh"), {"PATH": os.environ["PATH"]}, (), lend if lends else None)
    login = RegistryLogin("here", Credentials("me", "secret"))
    assert run_build(builder, BuildRequest("-"), (), output=None, login=login) is None
    left_over = {path.name.rpartition("-")[2] for path in runtime.iterdir()}
    assert left_over == ({"running"} if lends else {"killed", "running"})


def test_a_login_that_cannot_be_lent_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def lend(_: Path, __: RegistryLogin) -> Mapping[str, str]:
        raise PermissionError(errno.EACCES, "Permission denied")

    builder = Builder("docker build", ("true",), {}, (), lend)
    with pytest.raises(EngineError, match="cannot give docker build the login to here: permission denied") as caught:
        run_build(builder, BuildRequest("-"), (), output=None, login=RegistryLogin("here", Credentials("me", "secret")))
    assert caught.value.hint == "localreg login"


def test_a_builder_whose_exit_code_is_enough_writes_no_file() -> None:
    builder = Builder("docker build", ("/bin/sh", "-c", 'test "$*" = "-- -"', "sh"), {}, recipes=())
    assert run_build(builder, BuildRequest("-"), (), output=None) is None


def test_an_image_that_was_built_elsewhere_is_not_pushed(engine: FakeEngine, registry: Registry) -> None:
    with pytest.raises(EngineError, match="`localhost:5000/app:latest`") as caught:
        push_built(engine, registry, REQUEST, TRANSFER, OTHER_ID, on_progress=lambda _step: None)
    assert "Docker" in caught.value.message
    assert caught.value.details == ()


def test_an_old_image_of_that_name_is_not_pushed(engine: FakeEngine, registry: Registry) -> None:
    """The builder made another, here or elsewhere."""
    old = engine.add_image("localhost:5000/app:latest")
    made = engine.add_image("made")
    for image_id, hint in ((made.id, f"localreg push {made.id} --as app:latest"), (OTHER_ID, None)):
        with pytest.raises(EngineError, match="`localhost:5000/app:latest`") as caught:
            push_built(engine, registry, REQUEST, TRANSFER, image_id, on_progress=lambda _step: None)
        assert "Docker" in caught.value.message
        assert [detail.split()[-1] for detail in caught.value.details] == [image_id, old.id]
        assert caught.value.hint == hint


@pytest.mark.parametrize("says", ["sha256:0", "", None])
def test_what_is_no_id_is_not_compared(engine: FakeEngine, registry: Registry, says: str | None) -> None:
    engine.add_image("localhost:5000/app:latest")
    # There is no registry to push to.
    with pytest.raises(RegistryError):
        push_built(engine, registry, REQUEST, TRANSFER, says, on_progress=lambda _step: None)


@pytest.mark.parametrize("platform", ["linux/arm64", "linux/amd64", "linux/x86_64", "amd64"])
@pytest.mark.parametrize(("name", "no_cache"), [("podman", True), ("podman", False), ("docker", False)])
def test_an_image_for_another_platform_is_not_pushed(
    registry: Registry, platform: str, name: EngineName, *, no_cache: bool
) -> None:
    engine = FakeEngine(EngineInfo(name, "5.4.2", "fake:"))
    assert engine.add_image("localhost:5000/app:latest").platform == "linux/amd64"
    request = replace(REQUEST, platform=platform, no_cache=no_cache)
    is_other = platform == "linux/arm64"
    # There is no registry to push to.
    with pytest.raises(BuildFailedError if is_other else RegistryError) as caught:
        push_built(engine, registry, request, TRANSFER, None, on_progress=lambda _step: None)
    if is_other:
        assert caught.value.message == "the build made an image for linux/amd64, not for linux/arm64"
        again = "localreg build -t app --platform linux/arm64 --no-cache"
        # Docker's cache looks at the platform: the Dockerfile fixes it.
        anyway = "localreg push localhost:5000/app:latest"
        assert caught.value.hint == (again if name == "podman" and not no_cache else anyway)
