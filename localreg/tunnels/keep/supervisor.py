"""Keeps a tunnel open: opens it, checks that the registry answers on the other machine, reopens it after a drop."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from localreg.errors import HostKeyError, LocalregError, PortTakenError, TunnelError
from localreg.oci.ping import is_ready
from localreg.tunnels.files import TunnelFiles
from localreg.tunnels.keep import control
from localreg.tunnels.keep.control import ControlServer
from localreg.tunnels.keep.link import Link
from localreg.tunnels.keep.pushes import PushLog
from localreg.tunnels.spec import UP, TunnelSpec, TunnelState, TunnelStatus

_LOOK_EVERY = 60.0
"""Seconds between two checks of an open tunnel; `ssh` itself notices a lost machine sooner."""
_ANSWER_SECONDS = 2.0
"""How long a client of the control socket waits for a check."""
_NAP = 10.0
"""Seconds between two checks of the clock, which jumps if the machine slept."""
_CLOCK_JUMP = 5.0
"""Seconds by which two clocks can differ."""
_AGAIN = 2.0
"""Seconds until the next check after a failed one."""
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 30.0
_PORT_WAIT = 2.0
"""Seconds between two attempts at a port that is in use; they need no new login."""
_MOMENT = 1.0
"""Seconds that a new connection gets before it must work."""
_LEFT_PORT_SECONDS = 30.0
"""How long a first attempt waits for a port that an earlier tunnel, whose process was killed, may still hold."""
_PUSH_LULL = 2.0
"""Seconds between two reads of the log while a client is connected."""


class ClosedError(Exception):
    """The tunnel is to be closed."""


class Supervisor:
    """Keeps one tunnel open."""

    def __init__(
        self,
        spec: TunnelSpec,
        files: TunnelFiles,
        make_link: Callable[[Callable[[], None], Callable[[str], None]], Link],
        *,
        changed: Callable[[TunnelStatus], None],
        log: Callable[[str], None],
        log_file: str | None = None,
        is_lost: Callable[[], bool] = lambda: False,
    ) -> None:
        self._spec = spec
        self._files = files
        self._changed = changed
        self._log = log
        self._is_lost = is_lost
        self._news = threading.Event()
        self._closing = threading.Event()
        self._asked = threading.Event()
        self._looked = threading.Event()
        self._log_was_read = threading.Event()
        self._pushes = None if spec.log is None else PushLog(spec.log)
        self._link = make_link(self._news.set, log)
        self._status = TunnelStatus(spec, os.getpid(), "connecting", since=_now(), log=log_file)

    def run(self) -> None:
        """Keep the tunnel open until it is to be closed.

        Raises:
            LocalregError: it could not be opened the first time, or an error needs the user.
        """
        server = ControlServer(self._files.control, self._answer)
        try:
            self._keep()
        except ClosedError:
            pass
        except LocalregError:
            # Closing aborts the current attempt, which is not an error.
            if not self._closing.is_set():
                raise
        finally:
            if self._is_lost():
                # The files at its paths now belong to another tunnel.
                self._link.abort()
            else:
                self._link.close()
                server.close()

    @property
    def was_open(self) -> bool:
        """Whether the tunnel has been open."""
        return self._status.opened is not None

    def close(self) -> None:
        """Make `run` return."""
        self._closing.set()
        self._news.set()
        # A current attempt would delay it.
        self._link.abort()

    def _keep(self) -> None:
        while True:
            self._open()
            self._watch()
            reason = self._link.ended_because() if self._link.has_ended() else "the other machine stopped answering"
            self._link.close()
            self._enter("waiting", reason)

    def _open(self) -> None:
        """Open the tunnel; if it has been open before, retry until it is.

        Raises:
            LocalregError: as `run`.
            ClosedError: the tunnel is to be closed.
        """
        began = time.monotonic()
        while True:
            self._check_found()
            try:
                self._link.establish(partial(self._pause, heed_news=True))
            except LocalregError as exc:
                self._pause(self._wait_after(exc, time.monotonic() - began))
                continue
            if self._see():
                return
            self._link.close()
            self._pause(self._wait_after(TunnelError("the other machine does not answer"), time.monotonic() - began))

    def _wait_after(self, error: LocalregError, outage: float) -> float:
        """How long to wait before the next attempt.

        Raises:
            LocalregError: the error, if there is no next attempt.
        """
        may_be_ours = isinstance(error, PortTakenError) and self._spec.resumes and outage < _LEFT_PORT_SECONDS
        if isinstance(error, HostKeyError) or not (self.was_open or may_be_ours):
            raise error
        self._enter("waiting" if self.was_open else "connecting", error.message)
        return seconds_until_next(error, outage)

    def _see(self) -> bool:
        """Check the registry on the other machine, and enter the resulting state; False if the connection broke.

        Raises:
            TunnelError: the first check gets no answer although the registry answers on this machine.
        """
        if self.was_open and not self._registry_answers():
            return True
        sight = self._link.look()
        if sight != "answers":
            # A new tunnel may need a moment.
            self._pause(_MOMENT if sight == "silent" else 0)
            sight = self._link.look()
        if sight == "silent":
            return self._see_silence()
        if sight == "answers":
            self._enter("open", None)
        else:
            self._enter("not verified", "the other machine does not allow the check")
        return True

    def _see_silence(self) -> bool:
        """Find out why the other machine gave no answer; returns and raises as `_see` does."""
        if not self._registry_answers():
            return True
        if not self.was_open:
            raise TunnelError(
                f"the tunnel to {self._spec.host} is open, but the registry does not answer there",
                hint=f"curl {self._spec.remote_url}/v2/ on {self._spec.host}",
            )
        if not self._link.notices_its_end:
            return False
        # A push can delay the answer, so an open tunnel with a client stays open.
        if self._status.state not in UP or not self._link.is_busy():
            self._enter("not answering", "no answer from the other machine")
        return True

    def _registry_answers(self) -> bool:
        """Ask the registry on this machine; if it does not answer, enter that state."""
        if is_ready(self._spec.url):
            return True
        self._enter("not answering", f"the registry at {self._spec.location} does not answer")
        return False

    def _watch(self) -> None:
        """Check the tunnel regularly, and return when it breaks.

        Raises:
            ClosedError: the tunnel is to be closed.
            TunnelError: the tunnel's files were removed.
        """
        looked, clocks = time.monotonic(), _clock_difference()
        while not self._link.has_ended():
            every = _LOOK_EVERY if self._status.state in ("open", "not verified") else _AGAIN
            self._pause(_PUSH_LULL if self._link.is_busy() else min(_NAP, every), heed_news=True)
            self._check_found()
            if self._link.connections() is not None:
                self._read_log()
            slept = abs(_clock_difference() - clocks) > _CLOCK_JUMP
            if slept or self._asked.is_set() or time.monotonic() - looked >= every:
                self._asked.clear()
                if not self._see():
                    return
                self._looked.set()
                self._read_log()
                self._log_was_read.set()
                looked, clocks = time.monotonic(), _clock_difference()

    def _check_found(self) -> None:
        """Check that other commands can still find the tunnel.

        Raises:
            TunnelError: its files were removed.
        """
        if self._is_lost():
            raise TunnelError(
                f"the tunnel ended because its files in {self._files.spec.parent} were removed",
                hint=self._spec.as_typed(),
            )

    def _pause(self, seconds: float, *, heed_news: bool = False) -> None:
        if heed_news:
            self._news.wait(seconds)
            self._news.clear()
        else:
            self._closing.wait(seconds)
        if self._closing.is_set():
            raise ClosedError

    def _enter(self, state: TunnelState, reason: str | None) -> None:
        before = self._status
        if (before.state, before.reason) == (state, reason):
            return
        reopened = state in UP and before.state not in UP and before.opened is not None
        self._status = replace(
            before,
            state=state,
            reason=reason,
            since=before.since if state == before.state else _now(),
            opened=before.opened or (_now() if state in UP else None),
            reconnects=before.reconnects + reopened,
        )
        self._log(f"{state}{': ' + reason if reason else ''}")
        self._changed(self._status)

    def _read_log(self) -> None:
        """Look for a new push in the registry's log."""
        log = self._pushes
        push = None if log is None else log.find(self._link.connections(), is_busy=self._link.is_busy())
        if push is None or push == self._status.last_push:
            return
        self._status = replace(self._status, last_push=push)
        self._log(f"pushed: {push.reference}")
        self._changed(self._status)

    def _answer(self, command: str) -> str:
        if command == control.CLOSE:
            self.close()
        elif self._status.state in UP:
            # The last check may be a minute old, so do a new one.
            self._looked.clear()
            self._log_was_read.clear()
            self._asked.set()
            self._news.set()
            if not self._looked.wait(_ANSWER_SECONDS) and not self._link.is_busy():
                reason = f"the other machine did not answer within {_ANSWER_SECONDS:g} seconds"
                return replace(self._status, state="not answering", reason=reason).to_json()
            self._log_was_read.wait(_ANSWER_SECONDS)
        return self._status.to_json()


def seconds_until_next(error: LocalregError, outage: float) -> float:
    """How long to wait after a failed attempt: as long as the outage has lasted, so that the time doubles.

    Args:
        error: The error of the attempt.
        outage: Seconds since the tunnel was last open.
    """
    if isinstance(error, PortTakenError):
        return _PORT_WAIT
    return min(max(_FIRST_WAIT, outage), _LONGEST_WAIT)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _clock_difference() -> float:
    """The difference of two clocks in seconds: one stops while the machine sleeps, the other can be set."""
    return time.time() - time.monotonic()
