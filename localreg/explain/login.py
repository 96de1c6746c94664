"""Logins that are missing, wrong or refused."""

from __future__ import annotations

from localreg.explain.explanation import Cure, Explanation, advice, issue, localreg
from localreg.explain.sayings import RATE_LIMIT, WANTS_LOGIN, Saying

LOGIN = (
    Explanation(
        "credential-helper-missing",
        ("docker",),
        Saying(
            r"error (?:getting|listing|storing|saving) credentials|docker-credential-\S+.*(?:not found|resolves to)"
        ),
        "Docker's configuration names a program that keeps passwords, and this program is missing or fails. Docker "
        "Desktop leaves this setting behind when it is removed.",
        (
            advice("remove `credsStore` and `credHelpers` from ~/.docker/config.json, or install the program"),
            localreg("doctor", "credentials", when="to see which one"),
        ),
        issue("docker/for-mac", 7445),
    ),
    Explanation(
        "wrong-password",
        ("docker", "podman", "skopeo"),
        Saying(
            r"login attempt to \S+ failed with status: 401|invalid username/password|incorrect username or password"
        ),
        "The registry does not accept this user and password. skopeo says so also when it has no login at all.",
        (
            localreg("login", when="the registry is localreg's"),
            localreg("auth", "ls", when="to see its users"),
            Cure("podman login HOST:PORT", when="any other registry"),
        ),
        issue("podman-container-tools/skopeo", 761),
    ),
    Explanation(
        "login-missing",
        ("docker", "podman", "skopeo", "buildah", "crane", "oras", "containerd", "buildkit"),
        WANTS_LOGIN.or_(r"basic credential not found|authorization failed|\bunauthorized\b"),
        "The registry requires a login, and the client has none for exactly this address, or a wrong one. A login for "
        "`localhost:5000` is not one for `127.0.0.1:5000`.",
        (
            localreg("login", when="the registry is localreg's"),
            Cure("docker login HOST:PORT", when="any other registry, with Docker"),
            Cure("podman login HOST:PORT", when="any other registry, with Podman"),
        ),
        issue("moby/moby", 35684),
    ),
    Explanation(
        "denied",
        ("docker", "registry"),
        Saying(r"denied: requested access to the resource is denied|pull access denied(?!.*denied: <)"),
        "Docker Hub refused it. An image's name without a registry means Docker Hub, so the image was not meant for "
        "your registry, or you are not logged in there.",
        (localreg("push", "IMAGE", when="it was meant for your registry"), Cure("docker login", when="it was not")),
        issue("docker/hub-feedback", 1222),
    ),
    Explanation(
        "rate-limit",
        ("docker", "podman", "containerd", "registry"),
        RATE_LIMIT.or_(r"HTTP 429 response"),
        "The registry limits how many pulls you may make. For Docker Hub, a login raises the limit.",
        (
            Cure("docker login", when="you have an account"),
            localreg("up", "--image-archive", "FILE", when="the registry's own image cannot be pulled"),
        ),
        issue("docker/hub-feedback", 2429),
    ),
)
"""From the special to the general."""
