"""Engines that cannot be asked, and containers that cannot be started."""

from __future__ import annotations

from localreg.explain.explanation import Cure, Explanation, advice, issue, localreg
from localreg.explain.sayings import NO_LOG, PORT_NEEDS_ROOT, PORT_TAKEN, Saying

ENGINES = (
    Explanation(
        "docker-socket-denied",
        ("docker",),
        Saying(
            r"permission denied while trying to connect to the docker|"
            r"dial unix \S*docker\.sock: connect: permission denied"
        ),
        "Your user may not use Docker's socket. Members of the group `docker` may; they are root on this machine.",
        (
            Cure('sudo usermod -aG docker "$USER" && newgrp docker'),
            localreg("--engine", "podman", "up", when="Podman is installed: it needs no group"),
        ),
        issue("docker-library/postgres", 1124),
    ),
    Explanation(
        "docker-not-running",
        ("docker",),
        Saying(r"Cannot connect to the Docker daemon|failed to connect to the docker API"),
        "No Docker answers at the place that DOCKER_HOST or the current context names.",
        (
            localreg("doctor", "engine"),
            Cure("sudo systemctl start docker", when="Docker is installed here"),
            Cure("docker context ls", when="it runs elsewhere, such as in Colima or Docker Desktop"),
        ),
        issue("docker/docker-install", 260),
    ),
    Explanation(
        "podman-not-running",
        ("podman",),
        Saying(r"unable to connect to Podman socket|Cannot connect to Podman"),
        "The podman program was told to ask a service, and none listens: the machine or the service is stopped.",
        (
            Cure("podman machine start", when="macOS, Windows"),
            Cure("systemctl --user start podman.socket", when="Linux"),
            localreg("doctor", "engine", when="neither helps"),
        ),
        issue("podman-container-tools/podman", 20424),
    ),
    Explanation(
        "cgroups-v1",
        ("podman",),
        Saying(r"Cgroups v1 not supported"),
        "Podman 6 needs version 2 of control groups, and this machine has version 1.",
        (
            advice("start the machine with systemd.unified_cgroup_hierarchy=1 on the kernel's command line"),
            localreg("--engine", "docker", "up", when="Docker is installed"),
        ),
        issue("podman-container-tools/podman", 23539),
    ),
    Explanation(
        "slirp4netns-removed",
        ("podman",),
        Saying(r"slirp4netns support has been removed"),
        "Podman 6 has no slirp4netns any longer, and this container was created with it.",
        (Cure("podman system migrate"), localreg("up", "--recreate", when="the container is localreg's")),
        "https://github.com/eriksjolund/podman-networking-docs/pull/67",
    ),
    Explanation(
        "not-on-a-bridge",
        ("podman", "kind"),
        Saying(r"\"?(?:pasta|slirp4netns)\\?\"? is not supported: invalid network mode"),
        "Rootless Podman connects containers to a network only if they were created on one. It says the same if the "
        "network does not exist.",
        (
            localreg("connect", "network", "NAME", when="the container is localreg's"),
            Cure("podman run --network NAME ...", when="any other: create it anew"),
        ),
        issue("kubernetes-sigs/kind", 3666),
    ),
    Explanation(
        "privileged-port",
        ("podman", "docker"),
        PORT_NEEDS_ROOT,
        "Rootless engines cannot use ports below 1024.",
        (localreg("up", "--port", "5000"),),
        issue("podman-container-tools/podman", 13426),
    ),
    Explanation(
        "port-taken",
        ("docker", "podman"),
        PORT_TAKEN,
        "Another program or container has this port. On macOS, AirPlay Receiver has port 5000.",
        (
            localreg("doctor", "port", when="to see which one"),
            localreg("up", when="to take the next free port"),
        ),
        issue("moby/moby", 27158),
    ),
    Explanation(
        "name-taken",
        ("docker", "podman"),
        Saying(r"container name .* is already in use"),
        "A container of this name exists, perhaps a stopped one.",
        (
            localreg("status", "--all", when="to see the registries"),
            localreg("--name", "NAME", "status", when="to use it"),
        ),
        issue("knative/func", 2358),
    ),
    Explanation(
        "log-driver",
        ("docker", "podman"),
        NO_LOG,
        "The container was started with a log driver that only writes, so its log cannot be read.",
        (advice("start it again with --log-driver json-file (Docker) or k8s-file (Podman)"),),
        issue("moby/moby", 30887),
    ),
)
"""From the special to the general."""
