"""Keeps a tunnel open: opens it, sees that the registry answers from the far side, opens it again after a drop."""

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
"""Seconds between two looks at a tunnel that is open; `ssh` itself notices sooner when the far side is gone."""
_ANSWER_SECONDS = 2.0
"""How long whoever asks waits for a look."""
_NAP = 10.0
"""Seconds between two looks at the clock: it jumps where the machine slept."""
_CLOCK_JUMP = 5.0
"""Seconds that two clocks may differ."""
_AGAIN = 2.0
"""Seconds until a look that failed is taken again."""
_FIRST_WAIT = 1.0
_LONGEST_WAIT = 30.0
_PORT_WAIT = 2.0
"""Seconds between two attempts at a port that is taken: they cost the far side no login."""
_MOMENT = 1.0
"""Seconds until what has just been opened surely works."""
_LEFT_PORT_SECONDS = 30.0
"""How long a first attempt waits for a port that a tunnel of ours may still hold, whose process was killed."""
_PUSH_LULL = 2.0
"""Seconds between two looks at the log while somebody on the far side is connected."""


class ClosedError(Exception):
    """Somebody asked for the tunnel to be closed."""


class Supervisor:
    """Keeps one tunnel."""

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
        """Keep the tunnel until it is to be closed.

        Raises:
            LocalregError: it could not be opened for the first time, or a person has to look at it.
        """
        server = ControlServer(self._files.control, self._answer)
        try:
            self._keep()
        except ClosedError:
            pass
        except LocalregError:
            # What was under way was ended for it.
            if not self._closing.is_set():
                raise
        finally:
            if self._is_lost():
                # What stands at its paths by now is another's.
                self._link.abort()
            else:
                self._link.close()
                server.close()

    @property
    def was_open(self) -> bool:
        """Whether it was open once."""
        return self._status.opened is not None

    def close(self) -> None:
        """Have `run` come to its end."""
        self._closing.set()
        self._news.set()
        # What is under way waits for it.
        self._link.abort()

    def _keep(self) -> None:
        while True:
            self._open()
            self._watch()
            reason = self._link.ended_because() if self._link.has_ended() else "the far side answers no more"
            self._link.close()
            self._enter("waiting", reason)

    def _open(self) -> None:
        """Open it, as often as it takes once it was open.

        Raises:
            LocalregError: as `run`.
            ClosedError: it is to be closed.
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
            self._pause(self._wait_after(TunnelError("the far side does not answer"), time.monotonic() - began))

    def _wait_after(self, error: LocalregError, outage: float) -> float:
        """How long to wait before the next attempt.

        Raises:
            LocalregError: there is none.
        """
        may_be_ours = isinstance(error, PortTakenError) and self._spec.resumes and outage < _LEFT_PORT_SECONDS
        if isinstance(error, HostKeyError) or not (self.was_open or may_be_ours):
            raise error
        self._enter("waiting" if self.was_open else "connecting", error.message)
        return seconds_until_next(error, outage)

    def _see(self) -> bool:
        """Look from the far side, and enter the state that this shows; False if the way there is broken.

        Raises:
            TunnelError: the first time, nothing comes back although the registry answers here.
        """
        if self.was_open and not self._registry_answers():
            return True
        sight = self._link.look()
        if sight != "answers":
            # A tunnel that has just been opened may need a moment.
            self._pause(_MOMENT if sight == "silent" else 0)
            sight = self._link.look()
        if sight == "silent":
            return self._see_silence()
        if sight == "answers":
            self._enter("open", None)
        else:
            self._enter("not verified", "the far side does not let us look")
        return True

    def _see_silence(self) -> bool:
        """Find out why nothing came back from the far side, as `_see` does."""
        if not self._registry_answers():
            return True
        if not self.was_open:
            raise TunnelError(
                f"{self._spec.host} takes the tunnel, but the registry does not answer from there",
                hint=f"curl {self._spec.remote_url}/v2/ on {self._spec.host}",
            )
        if not self._link.notices_its_end:
            return False
        # A push that fills the line delays the answer: then an open tunnel stays open.
        if self._status.state not in UP or not self._link.is_busy():
            self._enter("not answering", "nothing comes back from the far side")
        return True

    def _registry_answers(self) -> bool:
        """Ask the registry on this machine; if it does not answer, enter that state."""
        if is_ready(self._spec.url):
            return True
        self._enter("not answering", f"the registry at {self._spec.location} does not answer")
        return False

    def _watch(self) -> None:
        """Come back when the tunnel is broken.

        Raises:
            ClosedError: it is to be closed.
            TunnelError: nobody could find it any more.
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
        """End where nobody could find the tunnel any more.

        Raises:
            TunnelError: its files are gone.
        """
        if self._is_lost():
            raise TunnelError(
                f"the files of the tunnel in {self._files.spec.parent} were removed: nobody could find it any more",
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
        """See whether the registry's log tells of a push that is not known yet."""
        log = self._pushes
        push = None if log is None else log.find(self._link.connections(), is_busy=self._link.is_busy())
        if push is None or push == self._status.last_push:
            return
        self._status = replace(self._status, last_push=push)
        self._log(f"pushed: {push.reference}")
        self._changed(self._status)

    def _answer(self, word: str) -> str:
        if word == control.CLOSE:
            self.close()
        elif self._status.state in UP:
            # What was seen a minute ago is no answer.
            self._looked.clear()
            self._log_was_read.clear()
            self._asked.set()
            self._news.set()
            if not self._looked.wait(_ANSWER_SECONDS) and not self._link.is_busy():
                reason = f"the far side does not answer within {_ANSWER_SECONDS:g} seconds"
                return replace(self._status, state="not answering", reason=reason).to_json()
            self._log_was_read.wait(_ANSWER_SECONDS)
        return self._status.to_json()


def seconds_until_next(error: LocalregError, outage: float) -> float:
    """How long to wait after an attempt: as long as the outage has lasted, so that it doubles until the next.

    Args:
        error: What it ended with.
        outage: Seconds since the tunnel was last open.
    """
    if isinstance(error, PortTakenError):
        return _PORT_WAIT
    return min(max(_FIRST_WAIT, outage), _LONGEST_WAIT)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _clock_difference() -> float:
    """How far apart two clocks are, in seconds: one stands while the machine sleeps; or somebody set the other."""
    return time.time() - time.monotonic()
