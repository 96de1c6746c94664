"""Registries and engines that cannot be reached."""

from __future__ import annotations

from localreg.explain.explanation import Cure, Explanation, advice, issue, localreg
from localreg.explain.sayings import THROUGH_PROXY, Saying

REACH = (
    Explanation(
        "pull-of-local-name",
        ("podman", "docker"),
        Saying(r"https?://localhost/v2/"),
        "A name such as `localhost/app` names a registry on port 443 or 80 of this machine. Podman also calls images "
        "so that it built itself; this one is not in its store.",
        (
            localreg("pull", "IMAGE", when="the image is in the registry"),
            Cure("podman build -t IMAGE .", when="it was to be built"),
        ),
        issue("podman-container-tools/podman", 22413),
    ),
    Explanation(
        "node-refused",
        ("containerd", "kubelet", "kind", "k3d", "minikube"),
        Saying(
            r"failed to (?:pull and unpack image|resolve reference|resolve image).*"
            r"dial tcp (?:127\.0\.0\.\d+|\[::1\]):\d+: .*connection refused"
        ),
        "In a node of a cluster, localhost is the node itself. The registry listens on the host, not there.",
        (
            localreg("connect", "kind", when="kind"),
            localreg("connect", "k3d", when="k3d"),
            localreg("connect", "minikube", when="minikube"),
            localreg("status", when="`ctr` on this machine says it"),
        ),
        issue("kubernetes-sigs/kind", 3857),
    ),
    Explanation(
        "builder-refused",
        ("buildkit", "docker"),
        Saying(
            r"failed to (?:push|solve|fetch|configure|do request).*"
            r"dial tcp (?:127\.0\.0\.\d+|\[::1\]):\d+: .*connection refused"
        ),
        "A builder that runs in a container has a localhost of its own, and the registry does not listen there.",
        (localreg("trust", "buildkit"), localreg("status", when="the registry may be stopped")),
        issue("docker/buildx", 94),
    ),
    Explanation(
        "ipv6-refused",
        ("docker", "podman", "skopeo", "crane"),
        Saying(r"dial tcp \[::1\]:\d+: (?:connect: |getsockopt: )?connection refused"),
        "The client took `localhost` for the IPv6 address ::1, where nothing listens. The registry is stopped, has "
        "another port, or listens on 127.0.0.1 alone.",
        (
            localreg("status"),
            advice("use 127.0.0.1 instead of localhost", when="the registry runs"),
            localreg("doctor", "localhost", when="neither helps"),
        ),
        issue("docker/docs", 13915),
    ),
    Explanation(
        "proxy-unreachable",
        ("docker", "podman", "skopeo", "containerd"),
        THROUGH_PROXY,
        "The program asks a proxy for this registry, and the proxy does not answer. A local registry needs no proxy.",
        (advice("add localhost, 127.0.0.1 and the registry's host to the NO_PROXY of the engine, and restart it"),),
        issue("docker/cli", 2270),
    ),
    Explanation(
        "unknown-host",
        ("docker", "podman", "containerd", "buildkit"),
        Saying(r"dial tcp: lookup \S+|no such host|server misbehaving|name resolution"),
        "The name of the registry cannot be resolved where the engine runs: in its virtual machine, or in the "
        "container of the builder. Newer releases of Docker ask the name server for names below `.localhost` as well.",
        (
            localreg("url", "-q", when="to see the name to use"),
            localreg("connect", "network", "NAME", when="the client is a container: it then has a name there"),
        ),
        issue("docker/for-win", 4884),
    ),
    Explanation(
        "connection-refused",
        ("docker", "podman", "containerd", "any client"),
        Saying(r"connection refused|actively refused"),
        "Nothing listens at that address. The registry is stopped or has another port, or the client runs in a "
        "container or a virtual machine and its localhost is another one.",
        (
            localreg("status"),
            localreg("up", when="the registry is stopped"),
            localreg("doctor", when="it runs"),
        ),
        issue("moby/moby", 29608),
    ),
    Explanation(
        "nothing-in-the-container",
        ("docker", "podman", "crane"),
        Saying(r"connection reset by peer|/v2/\S*: EOF"),
        "The engine's port proxy took the connection, but no program in the container listens at that port: the "
        "registry is not ready yet, has failed, or listens at another port there.",
        (localreg("logs", "--tail", "50"), localreg("doctor", when="the log shows no error")),
        issue("GoogleContainerTools/jib", 965),
    ),
    Explanation(
        "timeout",
        ("docker", "podman", "containerd"),
        Saying(r"TLS handshake timeout|Client\.Timeout exceeded|i/o timeout|context deadline exceeded"),
        "Something took the connection and did not answer in time: a proxy, a firewall, or a registry on a slow disk.",
        (
            localreg("doctor"),
            advice("add the registry's host to the NO_PROXY of the engine", when="the engine has a proxy"),
        ),
        issue("distribution/distribution-library-image", 139),
    ),
    Explanation(
        "image-pull-back-off",
        ("kubelet", "kubectl"),
        Saying(r"ImagePullBackOff|ErrImagePull|Back-off pulling image"),
        "The node could not pull the image and waits before it tries again. The events of the pod say why.",
        (
            Cure("kubectl describe pod NAME", when="to see the reason"),
            localreg("connect", "kind", when="the image's name begins with localhost"),
        ),
        issue("kubernetes-sigs/kind", 3918),
    ),
)
"""From the special to the general."""
