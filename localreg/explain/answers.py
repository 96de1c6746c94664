"""What a registry, or what is in its place, answers."""

from __future__ import annotations

from localreg.explain.explanation import Cure, Explanation, advice, issue, localreg
from localreg.explain.sayings import BROKEN_LAYER, DISK_FULL, NOT_AN_IMAGE, OTHER_PLATFORM, TAKES_NO_PUSH, Saying

ANSWERS = (
    Explanation(
        "no-such-manifest",
        ("docker",),
        Saying(r"\bno such manifest: "),
        "`docker manifest` asks the registry itself and expects TLS, also on localhost. It says so even if the image "
        "is there.",
        (
            Cure("docker manifest inspect --insecure IMAGE", when="`docker manifest inspect`"),
            Cure("docker manifest create --insecure INDEX IMAGE...", when="`docker manifest create`"),
            localreg("inspect", "IMAGE", when="to see whether it is there"),
        ),
        issue("docker/cli", 4484),
    ),
    Explanation(
        "not-here",
        ("docker", "podman", "skopeo", "crane", "oras", "containerd", "buildkit"),
        Saying(
            r"manifest unknown|manifest for .* not found|MANIFEST_UNKNOWN|"
            r"failed to (?:resolve reference|resolve image|fetch the content of)\b.*: not found|"
            r"ERROR: \S+: not found$"
        ),
        "The registry does not have this tag. A name without a tag means `latest`.",
        (localreg("ls"),),
        issue("docker/docker-credential-helpers", 266),
    ),
    Explanation(
        "name-unknown",
        ("crane", "oras", "skopeo", "registry"),
        Saying(
            r"NAME_UNKNOWN|name unknown|repository name not known|"
            r"fetching tags list: invalid status code from registry 404"
        ),
        "The registry has no repository of this name.",
        (localreg("ls"),),
        issue("distribution/distribution", 777),
    ),
    Explanation(
        "blob-unknown",
        ("docker", "oras", "skopeo", "registry"),
        Saying(r"blob unknown|unknown blob|BLOB_UNKNOWN|Error fetching blob: invalid status code from registry 404"),
        "The registry lacks a layer or an image that the manifest names. It was not pushed, or garbage collection of "
        "Distribution removed it.",
        (
            localreg("push", "IMAGE", when="an engine still has the image"),
            localreg("copy", "SOURCE", "DESTINATION", when="an index was pushed without its images"),
            localreg("doctor", "tags", when="to see which tags lack something"),
        ),
        issue("distribution/distribution", 3100),
    ),
    Explanation(
        "manifest-invalid",
        ("docker", "podman", "registry"),
        Saying(r"manifest invalid|MANIFEST_INVALID"),
        "The registry refuses the manifest: it refers to content that the registry does not have, or its kind is one "
        "that the registry does not know.",
        (localreg("logs", "--tail", "50", when="to see the reason"), localreg("push", "IMAGE", when="to try again")),
        issue("moby/moby", 27580),
    ),
    Explanation(
        "delete-refused",
        ("skopeo", "crane", "oras", "registry"),
        Saying(
            r"(?:delet\w+\b.*|DELETE .*)(?:405|unsupported)|"
            r"^Error response from registry: unsupported: The operation is unsupported"
        ),
        "Deleting is disabled in this registry. Distribution deletes nothing unless it is told to, and a cache of "
        "another registry never does.",
        (
            localreg("rm", "IMAGE", when="the registry is localreg's"),
            advice("start the registry with REGISTRY_STORAGE_DELETE_ENABLED=true", when="any other"),
        ),
        issue("distribution/distribution", 940),
    ),
    Explanation(
        "push-refused",
        ("docker", "podman", "crane", "oras", "registry"),
        TAKES_NO_PUSH.or_(r"\"UNSUPPORTED\""),
        "The registry takes no pushes: it is a cache of another registry, or read-only.",
        (localreg("--name", "OTHER", "up"),),
        issue("distribution/distribution", 1218),
    ),
    Explanation(
        "answered-403",
        ("docker", "podman"),
        Saying(r"error parsing HTTP 403 response body|403 \(?Forbidden"),
        "Another server answers at this address. On macOS, AirPlay Receiver has port 5000 and answers 403; elsewhere "
        "it may be a proxy.",
        (
            localreg("doctor", "port"),
            localreg("status", when="to see the registry's port"),
        ),
        issue("mkantor/docker-pushmi-pullyu", 28),
    ),
    Explanation(
        "answered-413",
        ("docker", "podman"),
        Saying(r"HTTP 413\b|413 \(?(?:Request Entity|Content|Payload) Too Large|status(?: code)?:? 413\b"),
        "A proxy before the registry limits how large a request may be. nginx allows 1 MB unless it is told otherwise.",
        (advice("set `client_max_body_size 0` in the proxy, or push to the registry without it"),),
        issue("distribution/distribution-library-image", 143),
    ),
    Explanation(
        "not-a-registrys-answer",
        ("docker", "podman"),
        Saying(r"error parsing HTTP \d+ response body|invalid character '<'|(?:unknown|denied): <(?:html|!doctype)"),
        "A web page came back instead of a registry's answer: another server or a proxy answers at this address.",
        (localreg("doctor", "port"), localreg("status", when="to see the registry's address")),
        issue("docker/cli", 3453),
    ),
    Explanation(
        "disk-full",
        ("docker", "podman", "registry"),
        DISK_FULL,
        "The disk of the engine or of the registry is full.",
        (
            localreg("du", when="to see what the registry stores"),
            localreg("gc", "--grace", "0", when="to delete what no tag needs"),
            localreg("doctor", "disk", when="to see which disk"),
        ),
        issue("distribution/distribution", 4896),
    ),
    Explanation(
        "answered-5xx",
        ("docker", "podman", "registry"),
        Saying(
            r"unexpected HTTP status: 5\d\d|\b5\d\d \((?:Internal|Bad|Service|Gateway)|status code:? 5\d\d|"
            r": 500 Internal Server Error"
        ),
        "The registry failed. Its log says why; most often it cannot write to its disk.",
        (localreg("logs", "--tail", "50"), localreg("doctor", when="the log does not tell")),
        issue("distribution/distribution-library-image", 89),
    ),
    Explanation(
        "broken-layer",
        ("docker", "podman", "skopeo"),
        BROKEN_LAYER,
        "The layer in the registry is not what its digest says: the file was cut or changed on the disk.",
        (
            localreg("push", "IMAGE", when="an engine still has the image"),
            localreg("doctor", "tags", when="to see which tags are broken"),
        ),
        issue("distribution/distribution", 2952),
    ),
    Explanation(
        "missing-content",
        ("docker",),
        Saying(r"missing content: content digest|does not provide any platform|Not all multiplatform-content"),
        "Docker stores an index of several platforms, but only the images of some. It cannot push the whole index.",
        (
            localreg("copy", "SOURCE", "DESTINATION", when="the image came from another registry"),
            Cure("docker pull --platform PLATFORM IMAGE", when="one platform is enough: pull it, and push again"),
        ),
        issue("docker/cli", 4959),
    ),
    Explanation(
        "other-platform",
        ("docker", "podman", "skopeo"),
        OTHER_PLATFORM,
        "The registry has the image, but not for this machine's platform.",
        (
            localreg("inspect", "IMAGE", when="to see its platforms"),
            Cure("docker pull --platform PLATFORM IMAGE", when="to take another one"),
        ),
        issue("docker-library/docs", 2427),
    ),
    Explanation(
        "zstd-layer",
        ("docker",),
        Saying(r"archive/tar: invalid tar header"),
        "A layer is compressed with zstd. Docker 20.10 does not know that, and takes it for a broken archive.",
        (
            advice("update Docker to 23.0 or later"),
            Cure(
                "docker buildx build --output type=image,compression=gzip,force-compression=true,push=true -t IMAGE .",
                when="you build the image",
            ),
        ),
        issue("docker-hardened-images/catalog", 184),
    ),
    Explanation(
        "not-an-image",
        ("docker", "podman"),
        NOT_AN_IMAGE,
        "The registry has an artifact under this name, such as a signature or a chart, and not an image.",
        (
            localreg("inspect", "IMAGE", when="to see what it is"),
            Cure("oras pull --plain-http REFERENCE", when="to take it"),
        ),
        "https://github.com/moby/moby/pull/44367",
    ),
)
"""From the special to the general."""
