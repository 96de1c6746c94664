"""A tunnel through the system's OpenSSH client, with the user's configuration, agent, jump hosts and known hosts.

One `ssh` without a remote shell is the master of a control socket (`ssh -M -S`, see ssh(1)). Forwardings are requested
on that socket (`ssh -O forward`), so that a failed request, such as for a port that is in use, can be repeated without
another login.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace

from localreg.errors import LocalregError, PortTakenError, TunnelError, reason_of
from localreg.oci.ping import is_registry
from localreg.system import processes
from localreg.system.address import Address
from localreg.system.command_line import Sentence
from localreg.system.unix_socket import UnixHTTPConnection
from localreg.tunnels.files import MARK, TunnelFiles
from localreg.tunnels.keep.link import Pause, Sight
from localreg.tunnels.spec import LOOPBACK, TunnelSpec
from localreg.tunnels.ssh import messages
from localreg.tunnels.ssh.control import ControlSocket
from localreg.tunnels.ssh.known_hosts import login_command
from localreg.tunnels.ssh.options import arguments
from localreg.tunnels.ssh.output import SshOutput

_LOGIN_SECONDS = 60.0
"""Timeout of a login, long enough to touch a hardware key."""
_LOOK_SECONDS = 5.0
_MESSAGE_SECONDS = 1.0
_POLL_SECONDS = 0.03
_QUIET_SECONDS = 1.0
"""Between two checks of a login, which also reports when it is done."""
_LAST_RESERVED_PORT = 1023
_LOCALHOST = "localhost"


class SshLink:
    """A tunnel through `ssh`."""

    notices_its_end = True

    def __init__(
        self, spec: TunnelSpec, files: TunnelFiles, *, news: Callable[[], None], log: Callable[[str], None]
    ) -> None:
        self._spec = spec
        self._files = files
        self._control = ControlSocket(files.master, spec.host)
        self._listens = f"success for: listen {spec.remote_port},"
        self._output = SshOutput(self._listens, *messages.COUNTED, news=news, log=log)
        self._process: subprocess.Popen[bytes] | None = None
        self._forwarded = False
        self._was_forwarded = False
        self._is_allowed = False
        self._looks = 0
        self._seen_from = LOOPBACK

    def establish(self, pause: Pause) -> None:
        """Log in if necessary, then have the other machine listen.

        Raises:
            PortTakenError: another process listens there; `ssh` keeps running for the next attempt.
            HostKeyError: the host key has changed or is not known.
            TunnelError: the connection failed for another reason.
        """
        if self.has_ended():
            self.close()
        if self._process is None:
            self._log_in(pause)
        if not self._forwarded:
            self._forward()

    def look(self) -> Sight:
        """Send a request through `ssh` to the other machine's port, and so back to the registry on this machine."""
        sight = self._look()
        if sight == "prohibited" and self._seen_from == LOOPBACK:
            # The right may be for `localhost:PORT`: sshd compares `permitopen` with the request, and looks up no name.
            self._lead_back(_LOCALHOST)
            sight = self._look()
        return sight

    def _look(self) -> Sight:
        before = self._output.count(messages.PROHIBITED)
        self._looks += 1
        if is_registry(UnixHTTPConnection(str(self._files.back), timeout=_LOOK_SECONDS), tls=self._spec.speaks_tls):
            return "answers"
        self._await(lambda: self._output.count(messages.PROHIBITED) > before)
        return "prohibited" if self._output.count(messages.PROHIBITED) > before else "silent"

    def has_ended(self) -> bool:
        """Whether `ssh` has ended."""
        return self._process is not None and self._process.poll() is not None

    def ended_because(self) -> str:
        """The last message of `ssh`."""
        said = [line for line in self._output.lines if messages.is_message(line)]
        return said[-1].strip().rstrip(".") if said else "the connection broke"

    def connections(self) -> int:
        """How many connections came from the other machine, not counting localreg's checks."""
        return self._output.connections - self._looks

    def is_busy(self) -> bool:
        """Whether a client on the other machine is connected."""
        return self._output.is_busy()

    def abort(self) -> None:
        """End `ssh`, so that calls in other threads that wait for it return."""
        process = self._process
        if process is not None:
            processes.send(process, signal.SIGTERM)

    def close(self) -> None:
        """End `ssh`; the other machine then stops listening."""
        process, self._process = self._process, None
        self._forwarded = False
        if process is None:
            return
        processes.end(process)
        self._output.join()
        self._files.remove_links()

    def _log_in(self, pause: Pause) -> None:
        self._files.remove_links()
        self._is_allowed = False
        environment = {**os.environ, MARK: str(self._files.spec)}
        try:
            process = subprocess.Popen(  # noqa: S603 -- the user's host comes after `--`
                arguments(self._spec, self._files.master),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # In its own session, so that Ctrl-C reaches only localreg, which ends it in order.
                start_new_session=True,
            )
        except OSError as exc:
            hint = "sudo apt install openssh-client" if isinstance(exc, FileNotFoundError) else None
            raise TunnelError(f"cannot run `ssh`: {reason_of(exc)}", hint=hint) from exc
        self._process = process
        self._output.follow(process)
        deadline = time.monotonic() + _LOGIN_SECONDS
        while not self._files.master.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise self._failure()
            pause(_QUIET_SECONDS)

    def _failure(self) -> LocalregError:
        """The reason why the login failed."""
        ended = self.has_ended()
        self.close()
        if not ended:
            return TunnelError(
                f"the login to {self._spec.host} timed out after {_LOGIN_SECONDS:g} seconds",
                hint=login_command(self._spec.host, ssh_options=self._spec.ssh_options),
            )
        return messages.explain(self._output.lines, self._spec)

    def _await(self, heard: Callable[[], bool]) -> bool:
        """Wait until a message of `ssh` has been read."""
        deadline = time.monotonic() + _MESSAGE_SECONDS
        while not heard():
            if time.monotonic() > deadline or self.has_ended():
                return heard()
            time.sleep(_POLL_SECONDS)
        return True

    def _forward(self) -> None:
        spec = self._spec
        listens = Address(spec.bind, spec.remote_port)
        if not self._listen(spec.bind):
            self._listen_otherwise()
        self._await(lambda: self._output.count(self._listens) > 0)
        if not spec.exposed and self._output.count(messages.OVERRIDDEN):
            self.close()
            raise TunnelError(
                f"anyone who can reach {spec.host} could push: its sshd has `GatewayPorts yes`",
                hint=Sentence(
                    "set `GatewayPorts clientspecified` in its sshd_config, or allow it with --bind 0.0.0.0 --expose"
                ),
            )
        self._seen_from = ""
        self._lead_back(LOOPBACK if listens.is_wildcard else spec.bind)
        self._forwarded = self._was_forwarded = True
        if spec.exposed:
            self._check_exposure(listens)

    def _listen(self, host: str) -> bool:
        """Request that the other machine listens on an address."""
        return self._control.forward("-R", f"{Address(host, self._spec.remote_port)}:{self._spec.target}")

    def _listen_otherwise(self) -> None:
        """Find out why the other machine does not listen, and request it by the name `localhost` if that may help.

        The right may be for `localhost:PORT`: sshd compares `permitlisten` with the request, and `ssh -R PORT:…`
        requests that name. It does not come first, because it is enough for sshd to listen on one of its addresses.

        Raises:
            LocalregError: the reason.
        """
        if self.has_ended():
            raise self._failure()
        # sshd does not change its permissions during a session.
        self._is_allowed = self._is_allowed or self._may_listen()
        taken = True if self._is_allowed else self._is_taken()
        if taken or self._spec.bind != LOOPBACK or not self._listen(_LOCALHOST):
            raise self._refusal(taken=taken)

    def _lead_back(self, host: str) -> None:
        """Lead a socket of this machine to the other machine's port."""
        if self._seen_from:
            self._control.cancel("-L", f"{self._files.back}:{Address(self._seen_from, self._spec.remote_port)}")
        self._seen_from = host
        self._control.forward("-L", f"{self._files.back}:{Address(host, self._spec.remote_port)}")

    def _check_exposure(self, listens: Address) -> None:
        """Check that the other machine listens on the requested address: sshd can silently use loopback instead.

        Raises:
            TunnelError: it listens on loopback.
        """
        address = messages.remote_address(self._output.lines) if listens.is_wildcard else listens.host
        if address is None:
            return
        self._control.forward("-L", f"{self._files.outside}:{Address(address, listens.port)}")
        before = self._output.count(messages.REFUSED)
        if is_registry(UnixHTTPConnection(str(self._files.outside), timeout=_LOOK_SECONDS), tls=self._spec.speaks_tls):
            self._looks += 1
            return
        if self._await(lambda: self._output.count(messages.REFUSED) > before):
            self.close()
            raise TunnelError(
                f"only {self._spec.host} itself can reach the port: its sshd has `GatewayPorts no`",
                hint=Sentence("set `GatewayPorts clientspecified` in its sshd_config, or omit --bind"),
            )

    def _refusal(self, *, taken: bool | None) -> LocalregError:
        """The reason why the other machine does not listen, which sshd does not give.

        Args:
            taken: Another process listens on the port; None if checking that is forbidden.
        """
        spec = self._spec
        if taken or (taken is None and (self._was_forwarded or spec.resumes)):
            low = spec.remote_port <= _LAST_RESERVED_PORT
            root = ", or only root can use it" if low else ""
            return PortTakenError(
                f"port {spec.remote_port} at {spec.bind} on {spec.host} is in use{root}",
                hint=replace(spec, remote_port=spec.remote_port + (8000 if low else 1)).as_typed(),
                details=["perhaps by your own broken tunnel: the other machine holds the port until it notices"],
            )
        self.close()
        return TunnelError(
            f"{spec.host} does not allow forwarding of port {spec.remote_port}",
            hint=Sentence(
                "set `AllowTcpForwarding yes` in its sshd_config; `PermitListen` and `restrict` must allow this port"
            ),
            details=[
                "its sshd_config, or the key's line in authorized_keys, forbids it"
                + (", or the port is in use: checking that is also forbidden" if taken is None else "")
            ],
        )

    def _may_listen(self) -> bool:
        """Whether the other machine allows any forwarding: requests a port of its choice, which leads nowhere."""
        nowhere = f"{LOOPBACK}:0:{LOOPBACK}:1"
        allowed = self._control.forward("-R", nowhere)
        if allowed:
            self._control.cancel("-R", nowhere)
        return allowed

    def _is_taken(self) -> bool | None:
        """Whether another process listens on the other machine's port; None if checking that is forbidden."""
        bound = Address(self._spec.bind, self._spec.remote_port)
        hosts = [LOOPBACK if bound.is_wildcard else bound.host, *([_LOCALHOST] if bound.host == LOOPBACK else [])]
        return next((taken for host in hosts if (taken := self._is_taken_at(host)) is not None), None)

    def _is_taken_at(self, host: str) -> bool | None:
        seen_from = Address(host, self._spec.remote_port)
        words = (messages.REFUSED, messages.OPEN_FAILED)
        before = [self._output.count(word) for word in words]
        if not self._control.forward("-L", f"{self._files.back}:{seen_from}"):
            return None
        connection = UnixHTTPConnection(str(self._files.back), timeout=_MESSAGE_SECONDS)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v2/")
            connection.getresponse()
        self._await(lambda: [self._output.count(word) for word in words] != before)
        self._control.cancel("-L", f"{self._files.back}:{seen_from}")
        refused, failed = (self._output.count(word) > count for word, count in zip(words, before, strict=True))
        return None if failed and not refused else not refused
