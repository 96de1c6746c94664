"""Files of clients that the client itself refuses."""

from __future__ import annotations

from localreg.explain.explanation import Explanation, advice, issue, localreg
from localreg.explain.sayings import Saying

CONFIGURATION = (
    Explanation(
        "conflicting-insecure",
        ("podman", "skopeo", "buildah"),
        Saying(r"is defined multiple times with conflicting 'insecure' setting"),
        "Two entries for one registry disagree whether it may speak plain HTTP. Podman refuses every push and pull "
        "until they agree.",
        (
            advice("remove one of the two [[registry]] tables; the message names the file that was read last"),
            localreg("trust", "podman", when="then"),
        ),
        issue("ceph/ceph-salt", 402),
    ),
    Explanation(
        "registry-blocked",
        ("podman", "skopeo", "buildah"),
        Saying(r"registry \S+ is blocked in"),
        "An entry of registries.conf forbids this registry with `blocked = true`.",
        (advice("remove `blocked = true` from the entry in the file that the message names"),),
        issue("podman-desktop/podman-desktop", 3549),
    ),
    Explanation(
        "registries-conf",
        ("podman", "skopeo", "buildah"),
        Saying(r"loading (?:drop-in )?registries configuration"),
        "A file of registries.conf has a mistake, and Podman refuses every push and pull because of it. A location "
        "has no `http://`, and `insecure` is true or false without quotes.",
        (
            advice("correct the file and the line that the message names"),
            localreg("trust", "podman", "--dry-run", when="to see whether the file is right now"),
        ),
        issue("podman-desktop/podman-desktop", 3549),
    ),
    Explanation(
        "capability-referrers",
        ("containerd",),
        Saying(r"unknown capability"),
        "A hosts.toml names a capability that this containerd does not know; `referrers` is for 2.2 and later. "
        "containerd ignores the whole file because of it, and expects TLS again.",
        (
            localreg("trust", "containerd"),
            advice("remove `referrers` from `capabilities`", when="the file is not localreg's"),
        ),
        "https://github.com/containerd/containerd/pull/12309",
    ),
    Explanation(
        "hosts-toml",
        ("containerd",),
        Saying(r"failed to decode hosts\.toml"),
        "containerd cannot read a hosts.toml and ignores the whole file. It does not say which one.",
        (
            localreg("trust", "containerd"),
            advice("correct the hosts.toml in the folder with the registry's name", when="the file is not localreg's"),
        ),
        issue("containerd/containerd", 10144),
    ),
)
"""From the special to the general."""
