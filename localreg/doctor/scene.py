"""What the checks look at: each part is looked up once, by the first check that needs it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from threading import RLock
from typing import TYPE_CHECKING, Generic, TypeVar

from localreg.doctor.check import NotPossibleError
from localreg.errors import EngineError, EngineLostError, LocalregError, RegistryError, RegistryUnreachableError
from localreg.registry.defaults import default_volume

if TYPE_CHECKING:
    from localreg.content.uploads import Upload
    from localreg.engines.discovery.select import Survey
    from localreg.engines.port import Engine
    from localreg.oci.api import RegistryClient
    from localreg.oci.ping import Reply
    from localreg.registry.container import Registry
    from localreg.registry.volume import WritableVolume

_T = TypeVar("_T")

_REQUEST_SECONDS = 10.0


class _Once(Generic[_T]):
    """A value that is looked up once, also from several threads; a failure is kept as well."""

    def __init__(self, look_up: Callable[[], _T]) -> None:
        self._look_up = look_up
        self._lock = RLock()
        self._found: list[_T] = []
        self._error: Exception | None = None

    def get(self) -> _T:
        with self._lock:
            if self._error is not None:
                raise self._error
            if not self._found:
                try:
                    self._found.append(self._look_up())
                except Exception as exc:
                    self._error = exc
                    raise
            return self._found[0]

    @property
    def found(self) -> _T | None:
        """The value, if it was looked up."""
        return self._found[0] if self._found else None


class Scene:
    """The registry in question, its engine and its clients.

    Args:
        name: The registry's.
        engine: Its engine, opened; None if none can be used.
        no_engine: Why none can be used.
        survey: The engines that answered, and why others did not.
        settings_problems: What is wrong in the environment and the settings files.
    """

    def __init__(
        self,
        name: str,
        *,
        engine: Engine | None = None,
        no_engine: LocalregError | None = None,
        survey: Survey | None = None,
        settings_problems: Sequence[LocalregError] = (),
    ) -> None:
        self.name = name
        self.found_engine = engine
        self.no_engine = no_engine
        self.survey = survey
        self.settings_problems = settings_problems
        self._registry = _Once(self._find_registry)
        self._reply = _Once(self._ask)
        self._client = _Once(self._open_client)
        self._login_error = _Once(self._log_in)
        self._volume = _Once(self._open_volume)
        self._uploads = _Once(self._list_uploads)

    @property
    def engine(self) -> Engine:
        """The registry's engine.

        Raises:
            NotPossibleError: there is none.
        """
        if self.found_engine is None:
            raise NotPossibleError("no engine answers")
        return self.found_engine

    @property
    def found_registry(self) -> Registry | None:
        """The container of that name, running or not; None if there is none.

        Raises:
            NotPossibleError: there is no engine.
        """
        return self._registry.get()

    @property
    def known_registry(self) -> Registry | None:
        """The container of that name, if a check found it."""
        return self._registry.found

    @property
    def registry(self) -> Registry:
        """The container of that name, running or not.

        Raises:
            NotPossibleError: there is none.
        """
        found = self.found_registry
        if found is None:
            raise NotPossibleError("the registry does not exist")
        return found

    @property
    def running(self) -> Registry:
        """The container of that name, which runs.

        Raises:
            NotPossibleError: it does not.
        """
        if not self.registry.container.is_running:
            raise NotPossibleError(f"the registry {self.registry.state_clause}")
        return self.registry

    @property
    def url(self) -> str:
        """Where this machine reaches the running registry.

        Raises:
            NotPossibleError: it does not reach it.
        """
        url = self.running.url
        if url is None:
            raise NotPossibleError("this machine cannot reach the registry")
        return url

    @property
    def location(self) -> str:
        """The registry's part of a reference.

        Raises:
            NotPossibleError: it publishes no port.
        """
        location = self.registry.location
        if location is None:
            raise NotPossibleError("the registry publishes no port")
        return location

    @property
    def reply(self) -> Reply:
        """The answer of the running registry to the first request that clients make."""
        return self._reply.get()

    @property
    def login_error(self) -> RegistryError | None:
        """The error of the registry that wants a login and does not accept the stored one; None if it does.

        Raises:
            NotPossibleError: it does not answer.
        """
        return self._login_error.get()

    @property
    def client(self) -> RegistryClient:
        """A client of the registry, which answers.

        Raises:
            NotPossibleError: it does not answer, or it does not accept the login, which is a finding of its own.
        """
        if self.login_error is not None:
            raise NotPossibleError("no stored login is accepted")
        return self._client.get()

    @property
    def volume(self) -> WritableVolume:
        """The stored data of the running registry.

        Raises:
            NotPossibleError: there is no way to it.
        """
        return self._volume.get()

    @property
    def uploads(self) -> list[Upload]:
        """The unfinished uploads, at the time of the first look.

        Raises:
            NotPossibleError: there is no way to the volume.
        """
        return self._uploads.get()

    @contextlib.contextmanager
    def open_docker(self) -> Iterator[Engine]:
        """Docker, for the client of this name.

        Raises:
            EngineUnavailableError: it does not answer.
        """
        from localreg.engines.discovery import select  # noqa: PLC0415 -- not for `--list`

        if self.found_engine is not None and self.found_engine.info().name == "docker":
            yield self.found_engine
            return
        survey = select.survey_engines("docker", volume=default_volume(self.name))
        if not survey.answers:
            raise select.none_answered("docker", survey)
        with select.open_engine(select.choose(survey.answers, name=self.name)) as engine:
            yield engine

    def close(self) -> None:
        """Close the connections to the registry."""
        client = self._client.found
        if client is not None:
            client.__exit__()

    def _find_registry(self) -> Registry | None:
        from localreg.registry.container import find_registry  # noqa: PLC0415 -- not for `--list`

        return find_registry(self.engine, self.name)

    def _ask(self) -> Reply:
        from localreg.oci.ping import ask  # noqa: PLC0415 -- not for `--list`

        return ask(self.url)

    def _open_client(self) -> RegistryClient:
        from localreg.registry.client import open_registry  # noqa: PLC0415 -- not for `--list`

        if not self.reply.is_ready:
            raise NotPossibleError("the registry does not answer")
        return open_registry(self.running, timeout=_REQUEST_SECONDS)

    def _log_in(self) -> RegistryError | None:
        from localreg.oci.ping import Reply  # noqa: PLC0415 -- not for `--list`

        if self.reply is not Reply.WANTS_LOGIN:
            return None
        try:
            self._client.get().transport.request("GET", "/v2/", "its version")
        except RegistryUnreachableError:
            raise
        except RegistryError as exc:
            return exc
        return None

    def _open_volume(self) -> WritableVolume:
        from localreg.registry.volume import READING_SECONDS, open_volume  # noqa: PLC0415 -- not for `--list`

        found = open_volume(self.engine, self.running, patience=READING_SECONDS, writes=True)
        if found is None:
            raise NotPossibleError("localreg has no way to the registry's volume")
        return found

    def _list_uploads(self) -> list[Upload]:
        from localreg.content.uploads import list_uploads  # noqa: PLC0415 -- not for `--list`

        try:
            return list_uploads(self.volume)
        except EngineLostError:
            raise
        except EngineError as exc:
            raise NotPossibleError(f"localreg cannot read the registry's volume: {exc.message}") from exc
