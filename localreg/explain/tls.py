"""Plain HTTP where TLS is expected, the other way round, and certificates."""

from __future__ import annotations

from localreg.explain.explanation import Cure, Explanation, advice, issue, localreg
from localreg.explain.sayings import SPEAKS_TLS, WANTS_TLS, Saying

_NEW_CERTIFICATE = localreg("up", "--recreate", "--tls", when="the registry is localreg's")
_OWN_CERTIFICATE = advice(
    "make a new certificate that has each name of the registry as a subject alternative name",
    when="you made the certificate",
)
_BUILDKIT_REMEMBERS = advice(
    "restart Docker, or wait ten minutes: BuildKit remembers how it reached the images of a repository",
    when="`docker build` still says it, and `docker pull` works",
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
        ("containerd", "kubelet", "kind", "k3d", "docker", "buildkit"),
        Saying(r"failed to do request: \S+ \\?\"?https://.*HTTP response to HTTPS client"),
        "containerd and BuildKit expect TLS here, also those in Docker. The node, Docker or the builder needs a file "
        "that says otherwise.",
        (
            localreg("connect", "kind", when="a pod in kind cannot pull"),
            localreg("connect", "k3d", when="a pod in k3d cannot pull"),
            localreg("trust", "containerd", when="containerd runs on this machine"),
            localreg("trust", "k3s", when="k3s runs on this machine"),
            localreg("trust", "docker", when="Docker or `docker build` says it"),
            localreg("trust", "buildkit", when="a builder that is a container says it"),
            _BUILDKIT_REMEMBERS,
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
                when="oras, crane, helm",
            ),
            advice("add `--plain-http`, or `--insecure` to crane", when="the address is another"),
        ),
        issue("distribution/distribution", 1874),
    ),
    Explanation(
        "buildkit-400",
        ("buildkit", "docker", "containerd"),
        Saying(r"unexpected status from \w+ request to http://\S+: 400 Bad Request"),
        "BuildKit or containerd used plain HTTP, and the registry speaks TLS. For a registry that had no TLS before, "
        "BuildKit goes on so for some minutes.",
        (
            advice("restart Docker, or wait ten minutes", when="`docker build` says it, and `docker pull` works"),
            localreg("trust", "buildkit", when="buildkitd, or a builder that is a container"),
            Cure(
                "SSL_CERT_FILE=ca.crt docker buildx imagetools inspect --builder localreg IMAGE",
                when="`docker buildx imagetools`, after `localreg trust buildkit`",
            ),
            localreg("trust", "docker", when="Docker says it of a pull or a push"),
            localreg("trust", "containerd", when="containerd says it"),
        ),
        issue("docker/buildx", 1642),
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
            advice("add `--plain-http=false`: without it, oras uses plain HTTP for localhost", when="oras"),
        ),
        issue("podman-container-tools/podman", 21540),
    ),
    Explanation(
        "unknown-authority",
        ("docker", "podman", "skopeo", "buildah", "containerd", "buildkit", "crane", "oras"),
        Saying(
            r"certificate signed by unknown authority|certificate is not trusted|"
            r"self[- ]signed certificate|unable to get local issuer certificate"
        ),
        "The client does not know the certificate authority that signed the registry's certificate.",
        (
            localreg("trust", when="the registry is localreg's"),
            advice("copy the authority's certificate to `certs.d/HOST:PORT/ca.crt` of the client", when="any other"),
            advice("name the authority's certificate in the variable SSL_CERT_FILE", when="crane, buildx imagetools"),
            advice("name the authority's certificate with `--ca-file`", when="oras"),
            _BUILDKIT_REMEMBERS,
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
        ("docker", "podman", "skopeo", "buildah", "containerd", "buildkit", "crane", "oras"),
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
        ("docker", "podman", "skopeo", "buildah", "containerd", "buildkit", "crane", "oras"),
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
)
"""From the special to the general."""
