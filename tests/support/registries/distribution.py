"""Real Distributions, each a process of its own."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from support.engines.real import Distribution, free_port

from localreg.oci.ping import Reply, ask
from localreg.system.waiting import wait_until


@contextlib.contextmanager
def serving(
    program: Path, root: Path, *, http: str = "", more: str = "", host: str = "127.0.0.1"
) -> Iterator[Distribution]:
    """A registry with deleting enabled, for as long as the context lasts.

    Args:
        program: Distribution.
        root: Its root directory; its settings are beside it.
        http: More settings of its `http`, as YAML in braces has them.
        more: More lines of settings.
        host: The address that it listens at; empty for all of this machine's, IPv6 as well.
    """
    port = free_port()
    config = root.with_name(f"{root.name}.yml")
    config.write_text(
        "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n"
        f"storage: {{filesystem: {{rootdirectory: {root}}}, delete: {{enabled: true}}}}\n"
        f"http: {{addr: '{host}:{port}'{', ' if http else ''}{http}}}\n{more}"
    )
    with subprocess.Popen([program, "serve", config], stderr=subprocess.DEVNULL) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            assert wait_until(lambda: ask(url) is not Reply.NONE, seconds=20, is_alive=lambda: process.poll() is None)
            yield Distribution(url, f"127.0.0.1:{port}", root)
        finally:
            process.kill()
