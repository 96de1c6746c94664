"""The tunnel through the system's OpenSSH client: the user's configuration, agent, jump hosts and known hosts count.

One `ssh` without a shell on the far side is the master of a control socket (`ssh -M -S`, see ssh(1)), on which it is
then told what to forward (`ssh -O forward`). So an attempt that fails, as for a port that is taken, costs no second
login, and can be made again as often as it takes.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from localreg.engines.base import Address
from localreg.engines.unix_http import UnixHTTPConnection
from localreg.errors import LocalregError, PortTakenError, TunnelError
from localreg.lifecycle.readiness import is_registry
from localreg.tunnels import ssh_words
from localreg.tunnels.link import Pause, Sight
from localreg.tunnels.place import MARK, Place
from localreg.tunnels.spec import LOOPBACK, TunnelSpec
from localreg.tunnels.threads import start_thread

_LOGIN_SECONDS = 60.0
"""How long a login may take, with a key that wants to be touched."""
_ORDER_SECONDS = 15.0
"""How long the far side may take to answer one request."""
_LOOK_SECONDS = 5.0
_WORD_SECONDS = 1.0
_END_SECONDS = 3.0
_POLL_SECONDS = 0.03
_QUIET_SECONDS = 1.0
"""Between two looks at a login that says when it is done."""
_MOST_LINES = 200
_LAST_RESERVED_PORT = 1023

OURS = {
    # Ours alone, without a shell that would wait for the user, and nothing forwarded that somebody else asked for.
    "ControlMaster": "yes",
    "ControlPersist": "no",
    "ClearAllForwardings": "yes",
    # Nobody is there to answer when it comes back at night.
    "BatchMode": "yes",
    "ExitOnForwardFailure": "yes",
    "StreamLocalBindUnlink": "yes",
    "StreamLocalBindMask": "0177",
}
"""What is not the user's to set."""
_DEFAULTS = {
    "ConnectTimeout": "10",
    # A far side that is gone is noticed after half a minute, which a change of the wireless network survives.
    "ServerAliveInterval": "10",
    "ServerAliveCountMax": "3",
}


class SshLink:
    """A tunnel through `ssh`."""

    def __init__(self, spec: TunnelSpec, place: Place, *, news: Callable[[], None], log: Callable[[str], None]) -> None:
        self._spec = spec
        self._place = place
        self._news = news
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: deque[str] = deque(maxlen=_MOST_LINES)
        self._reader: threading.Thread | None = None
        self._told: set[str] = set()
        self._forwarded = False
        self._is_allowed = False
        self._connections = 0
        self._looks = 0
        self._is_new = False
        self._channels: set[str] = set()

    def establish(self, pause: Pause) -> None:
        """Log in where that is still to do, then have the far side listen.

        Raises:
            PortTakenError: somebody else listens there; `ssh` stays for the next attempt.
            HostKeyError: the far side's key is not the one that is known.
            TunnelError: with what stands in the way.
        """
        if self.has_ended():
            self.close()
        if self._process is None:
            self._log_in(pause)
        if not self._forwarded:
            self._forward()

    def look(self) -> Sight:
        """Go through `ssh` to the far side's port, and so back to the registry of this machine."""
        before = self._count(ssh_words.PROHIBITED)
        self._looks += 1
        if is_registry(UnixHTTPConnection(str(self._place.back), timeout=_LOOK_SECONDS)):
            return "answers"
        self._await(lambda: self._count(ssh_words.PROHIBITED) > before)
        return "prohibited" if self._count(ssh_words.PROHIBITED) > before else "silent"

    def has_ended(self) -> bool:
        """Whether `ssh` ended."""
        return self._process is not None and self._process.poll() is not None

    def ended_because(self) -> str:
        """The last that `ssh` said."""
        said = [line for line in self._lines if ssh_words.spoken(line)]
        return said[-1].strip().rstrip(".") if said else "the connection is gone"

    def connections(self) -> int:
        """Connections from the far side, without those of a look."""
        return self._connections - self._looks

    def is_busy(self) -> bool:
        """Whether somebody on the far side is connected."""
        return bool(self._channels)

    def close(self) -> None:
        """End `ssh`; the far side then listens no more."""
        process, self._process = self._process, None
        self._forwarded = False
        if process is None:
            return
        for stop, seconds in ((signal.SIGTERM, _END_SECONDS), (signal.SIGKILL, None)):
            if process.poll() is None:
                # Also what it started to get through a jump host.
                os.killpg(process.pid, stop)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                break
        if self._reader is not None:
            self._reader.join(_WORD_SECONDS)
        self._place.remove_links()

    def _log_in(self, pause: Pause) -> None:
        self._place.remove_links()
        self._lines.clear()
        self._channels.clear()
        self._is_allowed = False
        environment = {**os.environ, MARK: str(self._place.spec)}
        try:
            process = subprocess.Popen(  # noqa: S603 -- what the user named stands behind `--`
                self._arguments(),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # Ctrl-C is ours: then it is ended in order.
                start_new_session=True,
            )
        except OSError as exc:
            hint = "sudo apt install openssh-client" if isinstance(exc, FileNotFoundError) else None
            raise TunnelError(f"cannot run `ssh`: {(exc.strerror or str(exc)).lower()}", hint=hint) from exc
        self._process = process
        self._reader = start_thread(partial(self._read, process), "ssh")
        deadline = time.monotonic() + _LOGIN_SECONDS
        while not self._place.master.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise self._failure()
            pause(_QUIET_SECONDS)

    def _arguments(self) -> list[str]:
        spec = self._spec
        options = {**OURS, "ControlPath": str(self._place.master)}
        identity = ["-i", spec.identity, "-o", "IdentitiesOnly=yes"] if spec.identity else []
        return [
            *("ssh", "-v", "-N", "-T"),
            # The first that `ssh` is told counts.
            *_as_options(options),
            *(word for option in spec.ssh_options for word in ("-o", option)),
            *_as_options(_DEFAULTS),
            *identity,
            *("--", spec.host),
        ]

    def _failure(self) -> LocalregError:
        """Why there is no way to the far side."""
        ended = self.has_ended()
        self.close()
        if not ended:
            return TunnelError(
                f"{self._spec.host} did not let this user in within {_LOGIN_SECONDS:g} seconds",
                hint=f"ssh {self._spec.host}",
            )
        return ssh_words.explain(list(self._lines), self._spec.host)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        if process.stderr is None:
            return
        with process.stderr:
            for line in process.stderr:
                text = line.decode(errors="backslashreplace").rstrip()
                self._lines.append(text)
                if ssh_words.spoken(text) and not text.startswith("mux_") and text not in self._told:
                    # Once, however often it is tried before it comes back.
                    self._told.add(text)
                    self._log(f"ssh: {text}")
                if ssh_words.LOGGED_IN in text:
                    self._told.clear()
                    self._news()
                self._follow_channels(text)
        process.wait()
        self._news()

    def _follow_channels(self, line: str) -> None:
        """Learn of a connection from the far side, and when it is over."""
        if ssh_words.FORWARDED in line:
            self._connections += 1
            self._is_new = True
        elif found := ssh_words.CHANNEL.match(line):
            if found["what"] == "free":
                self._channels.discard(found["number"])
            elif self._is_new:
                self._is_new = False
                self._channels.add(found["number"])
                if len(self._channels) == 1:
                    self._news()

    def _count(self, word: str) -> int:
        return sum(word in line for line in tuple(self._lines))

    def _await(self, heard: Callable[[], bool]) -> bool:
        """Wait until what `ssh` said on the way has been read."""
        deadline = time.monotonic() + _WORD_SECONDS
        while not heard():
            if time.monotonic() > deadline or self.has_ended():
                return heard()
            time.sleep(_POLL_SECONDS)
        return True

    def _forward(self) -> None:
        spec = self._spec
        listens = Address(spec.bind, spec.remote_port)
        if not self._order("-R", f"{listens}:{spec.target}"):
            raise self._refusal()
        self._await(lambda: self._count(f"success for: listen {spec.remote_port},") > 0)
        if not spec.exposed and self._count(ssh_words.OVERRIDDEN):
            self.close()
            raise TunnelError(
                f"{spec.host} would let everybody who reaches it push: its sshd has `GatewayPorts yes`",
                hint="`GatewayPorts clientspecified` there, or accept it: "
                + replace(spec, bind="0.0.0.0", exposed=True).as_typed(),  # noqa: S104 -- named, not bound to
            )
        seen_from = Address(LOOPBACK if listens.is_wildcard else spec.bind, spec.remote_port)
        self._order("-L", f"{self._place.back}:{seen_from}")
        self._forwarded = True
        if spec.exposed:
            self._check_exposure(listens)

    def _check_exposure(self, listens: Address) -> None:
        """See that the far side listens as it was asked to: where it may not, it takes loopback without a word.

        Raises:
            TunnelError: it listens on loopback.
        """
        address = ssh_words.far_address(list(self._lines)) if listens.is_wildcard else listens.host
        if address is None:
            return
        self._order("-L", f"{self._place.outside}:{Address(address, listens.port)}")
        before = self._count(ssh_words.REFUSED)
        if is_registry(UnixHTTPConnection(str(self._place.outside), timeout=_LOOK_SECONDS)):
            self._looks += 1
            return
        if self._await(lambda: self._count(ssh_words.REFUSED) > before):
            self.close()
            raise TunnelError(
                f"{self._spec.host} lets nobody but itself reach the port: its sshd has `GatewayPorts no`",
                hint="`GatewayPorts clientspecified` in its sshd_config, or leave out --bind",
            )

    def _refusal(self) -> LocalregError:
        """Why the far side does not listen; it says no more than that."""
        spec = self._spec
        if self.has_ended():
            return self._failure()
        # What was allowed once stays so for as long as we are logged in.
        self._is_allowed = self._is_allowed or self._may_listen() or self._is_taken()
        if self._is_allowed:
            low = spec.remote_port <= _LAST_RESERVED_PORT
            return PortTakenError(
                f"port {spec.remote_port} on {spec.bind} of {spec.host} is taken{', or for root only' if low else ''}",
                hint=replace(spec, remote_port=spec.remote_port + (8000 if low else 1)).as_typed(),
                details=["perhaps by a tunnel of yours that was cut: the far side holds it until it notices"],
            )
        self.close()
        return TunnelError(
            f"{spec.host} does not let this user forward port {spec.remote_port}",
            hint="`AllowTcpForwarding yes` in its sshd_config, and no `PermitListen` or `restrict` without this port",
            details=["its sshd_config, or the key's line in authorized_keys, forbids it"],
        )

    def _may_listen(self) -> bool:
        """Whether the far side lets us have a port of its own choice; this one leads nowhere."""
        nowhere = f"{LOOPBACK}:0:{LOOPBACK}:1"
        allowed = self._order("-R", nowhere)
        if allowed:
            self._order("-R", nowhere, cancel=True)
        return allowed

    def _is_taken(self) -> bool:
        """Whether somebody takes connections on the far side's port, where we may look."""
        listens = Address(self._spec.bind, self._spec.remote_port)
        seen_from = Address(LOOPBACK if listens.is_wildcard else listens.host, listens.port)
        refused = self._count(ssh_words.REFUSED) + self._count(ssh_words.PROHIBITED)
        self._order("-L", f"{self._place.back}:{seen_from}")
        connection = UnixHTTPConnection(str(self._place.back), timeout=_WORD_SECONDS)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v2/")
            connection.getresponse()
        self._await(lambda: self._count(ssh_words.REFUSED) + self._count(ssh_words.PROHIBITED) > refused)
        taken = self._count(ssh_words.REFUSED) + self._count(ssh_words.PROHIBITED) == refused
        self._order("-L", f"{self._place.back}:{seen_from}", cancel=True)
        return taken

    def _order(self, *forward: str, cancel: bool = False) -> bool:
        """Tell the running `ssh` to forward something, or to do so no more; whether it, and the far side, did."""
        order = "cancel" if cancel else "forward"
        control = ("-F", "none", "-S", str(self._place.master), "-O", order)
        options = _as_options({name: OURS[name] for name in ("StreamLocalBindUnlink", "StreamLocalBindMask")})
        try:
            done = subprocess.run(  # noqa: S603 -- what the user named stands behind `--`
                ["ssh", *control, *options, *forward, "--", self._spec.host],  # noqa: S607 -- the one PATH names
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_ORDER_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def _as_options(options: Mapping[str, str]) -> list[str]:
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
