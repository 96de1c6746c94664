"""Plain HTTP where TLS is expected, the other way round, and certificates."""

from __future__ import annotations

from localreg.explain.explanation import Cure, Explanation, advice, issue, localreg
from localreg.explain.sayings import SPEAKS_TLS, WANTS_TLS, Saying

_NEW_CERTIFICATE = localreg("up", "--recreate", "--tls", when="the registry is localreg's")
_OWN_CERTIFICATE = advice(
    "make a new certificate that has each name of the registry as a subject alternative name",
    when="you made the certificate",
)

TLS = (
    Explanation(
        "podman-plain-http",
        ("podman", "buildah", "skopeo"),
        Saying(r"pinging container registry .*HTTP response to HTTPS client"),
        "Podman, Buildah and skopeo expect TLS from every registry, even on localhost. This one speaks plain HTTP.",
        (localreg("trust", "podman"), Cure("podman push --tls-verify=false IMAGE", when="for one command")),
        issue("kubernetes-sigs/kind", 3468),
    ),
    Explanation(
        "containerd-plain-http",
        ("containerd", "kubelet", "kind", "k3d", "buildkit"),
        Saying(r"failed to do request: \S+ \\?\"?https://.*HTTP response to HTTPS client"),
        "containerd and BuildKit expect TLS here. The node or the builder needs a file that says otherwise.",
        (
            localreg("connect", "kind", when="a pod in kind cannot pull"),
            localreg("connect", "k3d", when="a pod in k3d cannot pull"),
            localreg("trust", "containerd", when="containerd runs on this machine"),
            localreg("trust", "k3s", when="k3s runs on this machine"),
            localreg("trust", "buildkit", when="`docker buildx` says it"),
        ),
        issue("containerd/containerd", 4826),
    ),
    Explanation(
        "docker-plain-http",
        ("docker",),
        Saying(
            r"(?:^|daemon: |[Ee]rror: )Get \\?\"?https://\S+/v2/\\?\"?: http: server gave HTTP response to HTTPS client"
        ),
        "Docker uses plain HTTP for loopback addresses only. Docker 29.10 and later expect TLS there as well, as soon "
        "as `insecure-registries` is set.",
        (localreg("trust", "docker"),),
        issue("distribution/distribution", 1874),
    ),
    Explanation(
        "plain-http",
        ("oras", "helm", "crane", "any client"),
        WANTS_TLS,
        "The client expects TLS, but the registry speaks plain HTTP.",
        (
            localreg("trust", when="for the clients that localreg knows"),
            advice(
                "use `localhost:PORT` as the registry's address; most clients use plain HTTP there",
                when="oras, crane",
            ),
            advice("add the client's option for plain HTTP, such as `--plain-http`", when="oras, helm"),
        ),
        issue("distribution/distribution", 1874),
    ),
    Explanation(
        "containerd-400",
        ("containerd", "oras"),
        Saying(
            r"(?:pulling|pushing) (?:from|to) host \S+ failed with status code .*: 400|status code 400: Bad Request"
        ),
        "The client used plain HTTP, and the registry speaks TLS: it answers every such request with status 400.",
        (
            localreg("trust", "containerd", when="containerd says it"),
            advice("leave out the option for plain HTTP", when="you gave one"),
            advice("use 127.0.0.1 instead of localhost, where the client expects TLS", when="oras"),
        ),
        issue("podman-container-tools/podman", 21540),
    ),
    Explanation(
        "http-to-tls",
        ("podman", "docker", "crane", "registry"),
        SPEAKS_TLS,
        "The client used plain HTTP, but the registry speaks TLS.",
        (
            localreg("trust", when="the registry is localreg's"),
            advice("leave out the option for plain HTTP, or the entry that says `insecure`", when="any other"),
        ),
        issue("podman-container-tools/podman", 21540),
    ),
    Explanation(
        "unknown-authority",
        ("docker", "podman", "skopeo", "containerd", "buildkit", "crane"),
        Saying(
            r"certificate signed by unknown authority|certificate is not trusted|"
            r"self[- ]signed certificate|unable to get local issuer certificate"
        ),
        "The client does not know the certificate authority that signed the registry's certificate.",
        (
            localreg("trust", when="the registry is localreg's"),
            advice("copy the authority's certificate to `certs.d/HOST:PORT/ca.crt` of the client", when="any other"),
        ),
        issue("moby/moby", 28616),
    ),
    Explanation(
        "legacy-common-name",
        ("docker", "podman", "skopeo", "containerd"),
        Saying(r"certificate relies on legacy Common Name"),
        "The certificate names the registry in its common name only. Programs made with Go 1.15 or later look at "
        "subject alternative names alone.",
        (_NEW_CERTIFICATE, _OWN_CERTIFICATE),
        issue("goharbor/harbor", 16971),
    ),
    Explanation(
        "certificate-for-another-name",
        ("docker", "podman", "skopeo", "containerd", "crane"),
        Saying(r"certificate is valid for .*, not |doesn't contain any IP SANs|certificate is not valid for any names"),
        "The certificate is for other names than the one that you use for the registry.",
        (
            localreg("up", "--recreate", "--tls", "--san", "HOST", when="the registry is localreg's"),
            _OWN_CERTIFICATE,
            advice("use a name of the registry that is in its certificate", when="it has another name"),
        ),
        issue("distribution/distribution", 948),
    ),
    Explanation(
        "certificate-expired",
        ("docker", "podman", "skopeo", "containerd", "crane"),
        Saying(r"certificate has expired or is not yet valid|certificate has expired"),
        "The certificate has ended or has not begun, or the clock of one of the two machines is wrong. A virtual "
        "machine's clock may stop while the host sleeps.",
        (
            localreg("doctor", "clock", when="a clock may be wrong"),
            _NEW_CERTIFICATE,
            _OWN_CERTIFICATE,
        ),
        issue("docker/for-mac", 17),
    ),
    Explanation(
        "authority-file-missing",
        ("containerd", "buildkit"),
        Saying(r"unable to read CA cert"),
        "hosts.toml names a file with the authority's certificate, and that file does not exist on this node.",
        (localreg("trust", "containerd"),),
        issue("containerd/containerd", 7118),
    ),
)
"""From the special to the general."""
