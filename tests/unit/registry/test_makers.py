"""Which tool created a registry, by what it leaves at the container."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from localreg.engines.values import AnonymousMount, Container, ContainerState, HostPathMount, Mount, VolumeMount
from localreg.registry.container import DATA_FOLDER, SCHEMA_LABEL, Registry
from localreg.registry.makers import find_maker

ANONYMOUS = AnonymousMount(DATA_FOLDER)


def registry(
    name: str = "registry",
    labels: Mapping[str, str] | None = None,
    *,
    mount: Mount = ANONYMOUS,
    image: str = "registry:2",
) -> Registry:
    return Registry(
        Container(
            id="0" * 64,
            name=name,
            image=image,
            state=ContainerState.RUNNING,
            labels=labels or {},
            ports=(),
            mounts=(mount,),
            started_at=None,
            finished_at=None,
            exit_code=None,
        )
    )


@pytest.mark.parametrize(
    ("found", "maker"),
    [
        (registry("kind-registry"), "kind"),
        (registry("k3d-registry", {"app": "k3d", "k3d.role": "registry", "k3d.version": "v5.9.0"}), "k3d"),
        (registry("ctlptl-registry", {"dev.tilt.ctlptl.role": "registry"}), "ctlptl"),
        (registry("kind-registry", {"dev.tilt.ctlptl.role": "registry"}), "ctlptl"),
        (registry("minikube", {"created_by.minikube.sigs.k8s.io": "true"}), "minikube"),
        (registry("local-local-registry", {"io.ksail.registry": "local"}), "KSail"),
        (registry("kamal-docker-registry", image="registry:3"), "Kamal"),
        (registry("dash-docker-registry", image="docker.io/library/registry:3"), "Kamal"),
        (registry("unregistry-pussh-1-55000"), "unregistry"),
        (registry("busy_bohr", mount=HostPathMount("/home/me/.jindr", DATA_FOLDER)), "jindr"),
        (registry("busy_bohr", {"org.testcontainers": "true"}), "Testcontainers"),
        (registry("app-registry-1", {"com.docker.compose.project": "app"}), "Compose"),
        (registry("app_registry_1", {"io.podman.compose.project": "app"}), "Compose"),
        (registry("systemd-registry", {"PODMAN_SYSTEMD_UNIT": "registry.service"}), "systemd"),
        (registry("kind-registry", {SCHEMA_LABEL: "1"}), "localreg"),
        (registry("registry", {"k3d.role": "server"}), None),
        (registry("docker-registry", image="registry:3"), None),
        (registry("my-docker-registry"), None),
        (registry("registry", mount=VolumeMount("data", DATA_FOLDER)), None),
        (registry(), None),
    ],
)
def test_the_tool_is_recognised(found: Registry, maker: str | None) -> None:
    assert find_maker(found) == maker
