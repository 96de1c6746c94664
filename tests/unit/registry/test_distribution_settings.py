"""What a registry's environment and configuration file say of its storage."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.engines.fake import FakeEngine

from localreg.engines.values import ContainerSpec
from localreg.registry.configuration import environment_of
from localreg.registry.container import DATA_FOLDER, Registry
from localreg.registry.distribution_settings import DistributionSettings, read_settings, settings_of
from localreg.registry.options import RegistryOptions

OFFICIAL = """\
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"""
BARE = "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: /data\n"
CACHE = "REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR"


def test_the_official_image_has_a_cache_and_a_folder() -> None:
    assert settings_of({}, OFFICIAL) == DistributionSettings(
        has_cache=True, upstream=None, driver="filesystem", root_directory=DATA_FOLDER, is_read_only=False
    )


@pytest.mark.parametrize(
    ("environment", "file", "expected"),
    [
        ({}, OFFICIAL, False),
        ({}, f"{OFFICIAL}redis:\n  addr: cache:6379\n", False),
        ({}, OFFICIAL.replace("inmemory", "redis"), True),
        ({}, OFFICIAL.replace("inmemory", "*anchor"), False),
        ({}, f"{OFFICIAL.replace('inmemory', '*anchor')}redis:\n  addr: cache:6379\n", True),
        ({CACHE: "redis"}, OFFICIAL, True),
        ({CACHE: "none"}, OFFICIAL.replace("inmemory", "redis"), False),
        ({"REGISTRY_STORAGE_CACHE": "{blobdescriptor: redis}"}, BARE, True),
        ({}, None, False),
    ],
)
def test_a_cache_that_a_restart_does_not_empty_is_found(
    environment: dict[str, str], file: str | None, *, expected: bool
) -> None:
    assert settings_of(environment, file).keeps_cache is expected


def test_localregs_own_registry_has_no_cache() -> None:
    for file in (OFFICIAL, None):
        assert not settings_of(environment_of(RegistryOptions(), None), file).has_cache


@pytest.mark.parametrize(
    ("environment", "file", "expected"),
    [
        ({CACHE: "none"}, OFFICIAL, False),
        ({CACHE: ""}, OFFICIAL, False),
        ({CACHE: "'inmemory'"}, BARE, True),
        ({CACHE: "redis"}, BARE, True),
        ({CACHE: "none", "REGISTRY_STORAGE_CACHE_LAYERINFO": "inmemory"}, BARE, False),
        ({"REGISTRY_STORAGE_CACHE_LAYERINFO": "inmemory"}, BARE, True),
        ({"REGISTRY_STORAGE_CACHE": "{blobdescriptor: inmemory}"}, BARE, True),
        ({"REGISTRY_STORAGE_CACHE": "{blobdescriptor: none}"}, BARE, False),
        ({"REGISTRY_STORAGE": "{filesystem: {}, cache: {layerinfo: redis}}"}, BARE, True),
        ({}, BARE, False),
        ({}, None, True),
        ({}, BARE + "  cache:\n    layerinfo: inmemory\n", True),
        ({}, BARE + "  # cache:\n  #   blobdescriptor: inmemory\n", False),
        ({}, BARE + "  cache: {'blobdescriptor': \"inmemory\"}\n", True),
        ({}, BARE + "  cache:\n    blobdescriptor: disabled # inmemory\n", False),
        ({}, BARE + "  cache:\n    blobdescriptor: *which\n", True),
        ({}, BARE + "  cache:\n    blobdescriptor:\n      inmemory\n", True),
        ({}, BARE + "  cache: *section\n", True),
        ({}, BARE + '  cache: {\n    "blob\\u0064escriptor": inmemory\n  }\n', True),
    ],
)
def test_a_cache_is_found_and_a_doubt_counts_as_one(
    environment: dict[str, str], file: str | None, *, expected: bool
) -> None:
    assert settings_of(environment, file).has_cache is expected


@pytest.mark.parametrize(
    ("environment", "file", "expected"),
    [
        ({}, BARE + "proxy:\n  remoteurl: https://user:secret@registry-1.docker.io\n", "registry-1.docker.io"),
        ({}, BARE + "proxy: {remoteurl: 'https://quay.io', ttl: 1h}\n", "quay.io"),
        ({}, BARE + "#proxy:\n#  remoteurl: https://quay.io\n", None),
        ({}, BARE + "proxy:\n  remoteurl:\n", None),
        ({"REGISTRY_PROXY_REMOTEURL": "https://quay.io"}, None, "quay.io"),
        ({"REGISTRY_PROXY": "{remoteurl: https://quay.io}"}, BARE, "quay.io"),
    ],
)
def test_the_upstream_of_a_cache_is_found(environment: dict[str, str], file: str | None, expected: str | None) -> None:
    assert settings_of(environment, file).upstream == expected


@pytest.mark.parametrize(
    ("environment", "file", "expected"),
    [
        ({}, BARE, "filesystem"),
        ({}, None, "filesystem"),
        ({}, "version: 0.1\nstorage:\n  s3:\n    bucket: x\n", "s3"),
        ({}, "version: 0.1\nstorage: inmemory\n", "inmemory"),
        ({}, 'version: 0.1\nstorage: {"gcs": {bucket: x}}\n', "gcs"),
        ({"REGISTRY_STORAGE": "s3", "REGISTRY_STORAGE_S3_BUCKET": "x"}, OFFICIAL, "s3"),
        ({"REGISTRY_STORAGE_AZURE_ACCOUNTNAME": "x"}, None, "azure"),
        ({"REGISTRY_STORAGE": "{swift: {authurl: x}}"}, OFFICIAL, "swift"),
    ],
)
def test_another_storage_than_a_folder_is_found(environment: dict[str, str], file: str | None, expected: str) -> None:
    assert settings_of(environment, file).driver == expected


def test_the_root_directory_and_read_only_are_found() -> None:
    found = settings_of({}, BARE + "  maintenance:\n    readonly:\n      enabled: true\n")
    assert (found.root_directory, found.is_read_only) == ("/data", True)
    found = settings_of(
        {
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/other",
            "REGISTRY_STORAGE_MAINTENANCE_READONLY": "{enabled: true}",
        },
        BARE,
    )
    assert (found.root_directory, found.is_read_only) == ("/other", True)
    assert not settings_of({}, BARE + "  maintenance: {uploadpurging: {enabled: true}}\n").is_read_only


@pytest.mark.parametrize(
    ("command", "environment", "path"),
    [
        (("/entrypoint.sh", "/etc/docker/registry/config.yml"), {}, "/etc/docker/registry/config.yml"),
        (("registry", "serve", "/my.yaml"), {"REGISTRY_CONFIGURATION_PATH": "/not/this.yml"}, "/my.yaml"),
        (("registry", "serve"), {"REGISTRY_CONFIGURATION_PATH": "/named.yml"}, "/named.yml"),
        (("registry",), {}, "/etc/distribution/config.yml"),
    ],
    ids=["official", "argument", "variable", "version 3"],
)
def test_the_file_is_read_where_the_command_says(
    tmp_path: Path, command: tuple[str, ...], environment: dict[str, str], path: str
) -> None:
    engine = FakeEngine()
    engine.add_image("registry:2")
    container = engine.create_container(ContainerSpec("r", "registry:2", command=command, environment=environment))
    engine.start_container(container.id)
    (tmp_path / "config.yml").write_text(BARE)
    engine.files[path] = tmp_path / "config.yml"
    found = engine.find_container("r")
    assert found is not None
    assert read_settings(engine, Registry(found)).root_directory == "/data"


def test_a_file_that_cannot_be_read_counts_as_a_cache() -> None:
    engine = FakeEngine()
    engine.add_image("registry:2")
    engine.start_container(engine.create_container(ContainerSpec("r", "registry:2")).id)
    found = engine.find_container("r")
    assert found is not None
    assert read_settings(engine, Registry(found)) == settings_of({}, None)
