from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import replace

import pytest

from localreg.system.waiting import wait_until
from localreg.tunnels.files import files_of
from localreg.tunnels.keep import program
from localreg.tunnels.spec import TunnelSpec

pytestmark = pytest.mark.usefixtures("runtime_folder")


def test_an_answer_that_drips_in_is_none(spec: TunnelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_LOOK_SECONDS", 0.3)
    given_up = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                wait_until(lambda: given_up.is_set() or connection.send(b"x") == 0, seconds=30)

        threading.Thread(target=drip, daemon=True).start()
        made = replace(spec, command=("x",), probe_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        link = program.ProgramLink(made, files_of(made), news=lambda: None, log=lambda _: None)
        began = time.monotonic()
        # The second does not wait for the first.
        assert [link.look(), link.look()] == ["silent", "silent"]
        # Far less than the answer takes, and enough for a busy machine.
        assert time.monotonic() - began < 15
        given_up.set()
