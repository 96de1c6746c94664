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
import time
from collections.abc import Callable
from dataclasses import replace

from localreg.errors import LocalregError, PortTakenError, TunnelError, reason_of
from localreg.oci.ping import is_registry
from localreg.system import processes
from localreg.system.address import Address
from localreg.system.programs import output_of
from localreg.system.unix_socket import UnixHTTPConnection
from localreg.tunnels.files import MARK, TunnelFiles
from localreg.tunnels.keep.link import Pause, Sight
from localreg.tunnels.spec import LOOPBACK, TunnelSpec
from localreg.tunnels.ssh import messages as ssh_words
from localreg.tunnels.ssh.options import FORWARDING, arguments
from localreg.tunnels.ssh.output import SshOutput

_LOGIN_SECONDS = 60.0
"""How long a login may take, with a key that wants to be touched."""
_ORDER_SECONDS = 15.0
"""How long the far side may take to answer one request."""
_LOOK_SECONDS = 5.0
_WORD_SECONDS = 1.0
_POLL_SECONDS = 0.03
_QUIET_SECONDS = 1.0
"""Between two looks at a login that says when it is done."""
_LAST_RESERVED_PORT = 1023


class SshLink:
    """A tunnel through `ssh`."""

    notices_its_end = True

    def __init__(
        self, spec: TunnelSpec, files: TunnelFiles, *, news: Callable[[], None], log: Callable[[str], None]
    ) -> None:
        self._spec = spec
        self._files = files
        self._listens = f"success for: listen {spec.remote_port},"
        self._output = SshOutput(self._listens, *ssh_words.COUNTED, news=news, log=log)
        self._process: subprocess.Popen[bytes] | None = None
        self._forwarded = False
        self._was_forwarded = False
        self._is_allowed = False
        self._looks = 0

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
        before = self._output.count(ssh_words.PROHIBITED)
        self._looks += 1
        if is_registry(UnixHTTPConnection(str(self._files.back), timeout=_LOOK_SECONDS)):
            return "answers"
        self._await(lambda: self._output.count(ssh_words.PROHIBITED) > before)
        return "prohibited" if self._output.count(ssh_words.PROHIBITED) > before else "silent"

    def has_ended(self) -> bool:
        """Whether `ssh` ended."""
        return self._process is not None and self._process.poll() is not None

    def ended_because(self) -> str:
        """The last that `ssh` said."""
        said = [line for line in self._output.lines if ssh_words.spoken(line)]
        return said[-1].strip().rstrip(".") if said else "the connection is gone"

    def connections(self) -> int:
        """Connections from the far side, without those of a look."""
        return self._output.connections - self._looks

    def is_busy(self) -> bool:
        """Whether somebody on the far side is connected."""
        return self._output.is_busy()

    def abort(self) -> None:
        """Have `ssh` end: whoever waits for it waits no more."""
        process = self._process
        if process is not None:
            processes.send(process, signal.SIGTERM)

    def close(self) -> None:
        """End `ssh`; the far side then listens no more."""
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
            process = subprocess.Popen(  # noqa: S603 -- what the user named stands behind `--`
                arguments(self._spec, self._files.master),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                # Ctrl-C is ours: then it is ended in order.
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
        """Why there is no way to the far side."""
        ended = self.has_ended()
        self.close()
        if not ended:
            return TunnelError(
                f"{self._spec.host} did not let this user in within {_LOGIN_SECONDS:g} seconds",
                hint=f"ssh {self._spec.host}",
            )
        return ssh_words.explain(self._output.lines, self._spec.host)

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
        self._await(lambda: self._output.count(self._listens) > 0)
        if not spec.exposed and self._output.count(ssh_words.OVERRIDDEN):
            self.close()
            raise TunnelError(
                f"everyone who can reach {spec.host} could push: its sshd has `GatewayPorts yes`",
                hint="set `GatewayPorts clientspecified` in its sshd_config, or allow it with --bind 0.0.0.0 --expose",
            )
        seen_from = Address(LOOPBACK if listens.is_wildcard else spec.bind, spec.remote_port)
        self._order("-L", f"{self._files.back}:{seen_from}")
        self._forwarded = self._was_forwarded = True
        if spec.exposed:
            self._check_exposure(listens)

    def _check_exposure(self, listens: Address) -> None:
        """See that the far side listens as it was asked to: where it may not, it takes loopback without a word.

        Raises:
            TunnelError: it listens on loopback.
        """
        address = ssh_words.far_address(self._output.lines) if listens.is_wildcard else listens.host
        if address is None:
            return
        self._order("-L", f"{self._files.outside}:{Address(address, listens.port)}")
        before = self._output.count(ssh_words.REFUSED)
        if is_registry(UnixHTTPConnection(str(self._files.outside), timeout=_LOOK_SECONDS)):
            self._looks += 1
            return
        if self._await(lambda: self._output.count(ssh_words.REFUSED) > before):
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
        self._is_allowed = self._is_allowed or self._may_listen()
        taken = True if self._is_allowed else self._is_taken()
        if taken or (taken is None and (self._was_forwarded or spec.resumes)):
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
            details=[
                "its sshd_config, or the key's line in authorized_keys, forbids it"
                + (", or somebody has the port: it may not be looked at either" if taken is None else "")
            ],
        )

    def _may_listen(self) -> bool:
        """Whether the far side lets us have a port of its own choice; this one leads nowhere."""
        nowhere = f"{LOOPBACK}:0:{LOOPBACK}:1"
        allowed = self._order("-R", nowhere)
        if allowed:
            self._order("-R", nowhere, cancel=True)
        return allowed

    def _is_taken(self) -> bool | None:
        """Whether somebody takes connections on the far side's port; None where we may not look."""
        listens = Address(self._spec.bind, self._spec.remote_port)
        seen_from = Address(LOOPBACK if listens.is_wildcard else listens.host, listens.port)
        words = (ssh_words.REFUSED, ssh_words.OPEN_FAILED)
        before = [self._output.count(word) for word in words]
        if not self._order("-L", f"{self._files.back}:{seen_from}"):
            return None
        connection = UnixHTTPConnection(str(self._files.back), timeout=_WORD_SECONDS)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/v2/")
            connection.getresponse()
        self._await(lambda: [self._output.count(word) for word in words] != before)
        self._order("-L", f"{self._files.back}:{seen_from}", cancel=True)
        refused, failed = (self._output.count(word) > count for word, count in zip(words, before, strict=True))
        return None if failed and not refused else not refused

    def _order(self, *forward: str, cancel: bool = False) -> bool:
        """Tell the running `ssh` to forward something, or to do so no more; whether it, and the far side, did."""
        order = "cancel" if cancel else "forward"
        control = ("-F", "none", "-S", str(self._files.master), "-O", order)
        words = ("ssh", *control, *FORWARDING, *forward, "--", self._spec.host)
        return output_of(*words, seconds=_ORDER_SECONDS) is not None
