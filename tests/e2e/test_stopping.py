"""A registry that is stopped while it works."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import urllib3
from support.engines.real import Bed

from localreg.system.waiting import wait_until


def test_a_request_under_way_is_answered_before_the_registry_stops(bed: Bed) -> None:
    bed.up()
    begun = urllib3.request("POST", "http://127.0.0.1:5000/v2/app/blobs/uploads/")
    place = urlsplit(begun.headers["Location"])
    head = f"PATCH {place.path}?{place.query} HTTP/1.1\r\nHost: localhost:5000\r\nContent-Length: 6\r\n\r\n"
    with socket.create_connection(("127.0.0.1", 5000)) as client:
        client.settimeout(20)
        client.sendall(head.encode() + b"one")
        # Until it has begun to read.
        uploaded = "ls /var/lib/registry/docker/registry/v2/repositories/app/_uploads/*/data"
        assert wait_until(
            lambda: bed.run(bed.program, "exec", "registry", "sh", "-c", uploaded).returncode == 0, seconds=20
        )
        with bed.started(bed.program, "stop", "registry") as stopping:
            assert wait_until(lambda: "raining" in bed.run(bed.program, "logs", "registry").stderr, seconds=20)
            client.sendall(b"two")
            assert client.recv(4096).startswith(b"HTTP/1.1 202 ")
            assert stopping.wait(timeout=20) == 0
    assert bed.inspect("registry")["State"]["ExitCode"] == 0
