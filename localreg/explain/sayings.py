"""What engines, clients and registries say: the parts of messages that a kind of error is recognised by."""

from __future__ import annotations

import re


class Saying:
    """A part of a message, in any case. It is compiled at first use, because most commands meet no error.

    Args:
        expression: A regular expression.
    """

    def __init__(self, expression: str) -> None:
        self._expression = expression

    def search(self, text: str) -> re.Match[str] | None:
        """Find it in a text."""
        return re.search(self._expression, text, re.IGNORECASE)

    def or_(self, expression: str) -> Saying:
        """Recognises this one and another."""
        return Saying(f"{self._expression}|{expression}")


PORT_TAKEN = Saying(r"port is already allocated|address already in use|ports are not available|proxy already running")
"""Engines, their proxies and their virtual machines about a port that cannot be bound."""
PORT_NEEDS_ROOT = Saying(r"cannot expose privileged port|(?:listen failed for|failed to bind port).*permission denied")
"""Rootless engines about a port that only root may use."""
DISK_FULL = Saying(r"no space left on device|disk quota exceeded")
"""The system about a full disk."""
NO_LOG = Saying(r"does not support reading|log driver, cannot read logs")
"""Engines about a container whose log driver only writes."""
BROKEN_LAYER = Saying(r"verification failed for digest|digest did not match")
"""Engines about a layer whose content is not what its digest says."""
NOT_AN_IMAGE = Saying(r"unsupported media ?type|image-specific operation on artifact")
"""Engines about an artifact that is not an image."""
WANTS_TLS = Saying(r"HTTP response to HTTPS client")
"""Clients that expect TLS from a registry without it."""
SPEAKS_TLS = Saying(r"HTTP request to an HTTPS server")
"""Registries with TLS, about a client that uses plain HTTP."""
THROUGH_PROXY = Saying(r"\bproxyconnect\b")
"""Clients that ask a proxy for a registry, and cannot reach the proxy."""
WANTS_LOGIN = Saying(r"no basic auth credentials|authentication required|\b401 unauthorized|invalid username/password")
"""Clients without credentials for a registry that requires a login, or with wrong ones."""
TAKES_NO_PUSH = Saying(r"(?:^|: )unsupported(?:: the operation is unsupported\.?)?\s*$|method not allowed|\b405\b")
"""Registries that take no pushes, or delete nothing."""
OTHER_PLATFORM = Saying(r"no matching manifest for|no image found in (?:manifest list|image index) for")
"""Engines about an index without an image for their platform."""
RATE_LIMIT = Saying(r"toomanyrequests|rate limit|too many requests")
"""Registries that limit pulls."""
