"""Names of images that a program does not accept."""

from __future__ import annotations

from localreg.explain.explanation import Explanation, advice, issue, localreg
from localreg.explain.sayings import Saying

NAMES = (
    Explanation(
        "name-with-capitals",
        ("docker", "podman"),
        Saying(r"repository name(?: \([^)]*\))? must be lowercase"),
        "The name of an image has a capital letter, or a part of the command line was taken for a name because of a "
        "space in it.",
        (advice("write the name in small letters, and put arguments with spaces in quotes"),),
        issue("moby/moby", 36080),
    ),
    Explanation(
        "unknown-transport",
        ("podman", "skopeo"),
        Saying(r"Invalid image name .*unknown transport"),
        "Podman could not read the name and took its beginning for a transport. Names with a capital letter or with "
        "`[::1]` are not valid; skopeo wants `docker://` before each name.",
        (
            advice("write the name in small letters, with `localhost` or `127.0.0.1` as the host", when="podman"),
            advice("write `docker://` before the name", when="skopeo"),
        ),
        issue("podman-container-tools/podman", 27587),
    ),
    Explanation(
        "short-name-enforced",
        ("podman", "buildah"),
        Saying(r"short-name resolution enforced"),
        "The image's name has no registry. Podman would ask which one is meant, but there is no terminal to ask on.",
        (
            localreg("pull", "IMAGE", when="it is in your registry"),
            advice("write the whole name, such as docker.io/library/IMAGE", when="it is elsewhere"),
        ),
        issue("podman-container-tools/podman", 11530),
    ),
    Explanation(
        "short-name",
        ("podman", "buildah"),
        Saying(r"short-name .* did not resolve to an alias"),
        "The image's name has no registry, and Podman's configuration does not say which one to try.",
        (
            localreg("pull", "IMAGE", when="it is in your registry"),
            advice("write the whole name, such as docker.io/library/IMAGE", when="it is elsewhere"),
        ),
        issue("podman-container-tools/podman", 24989),
    ),
    Explanation(
        "invalid-reference",
        ("docker", "podman", "crane"),
        Saying(r"invalid reference format|could not parse reference"),
        "This is not the name of an image. Names begin with a host and a port, without `http://`; they have no capital "
        "letters, and only the newest releases accept an IPv6 address.",
        (
            localreg("url", "-q", when="to see how names in the registry begin"),
            localreg("ls", "-q", when="to see them"),
        ),
        issue("moby/moby", 36080),
    ),
    Explanation(
        "one-letter-repository",
        ("crane",),
        Saying(r"repository must be between 2 and 255 characters in length"),
        "crane refuses repositories whose name has one letter, although registries and engines accept them.",
        (localreg("copy", "SOURCE", "DESTINATION"),),
        issue("google/go-containerregistry", 1863),
    ),
)
"""From the special to the general."""
