"""The links of a registry's volume, read beside requests to the registry, or compared with what it serves."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future

from localreg.content.agreement import agrees, read_served_links
from localreg.errors import EngineError, EngineLostError
from localreg.oci.api import RegistryClient
from localreg.registry.volume import Volume
from localreg.registry.volume_layout import Links
from localreg.system.command_line import Sentence


class LinkReading:
    """Reads a volume's links in a thread that neither Ctrl-C nor an error waits for: an engine may hang.

    Args:
        volume: The registry's; None if it cannot be read, or is not needed.
        repositories: Those to read; by default all.
    """

    def __init__(self, volume: Volume | None, repositories: Collection[str] | None) -> None:
        self._future: Future[Links | EngineError | None] = Future()
        self._is_believed: bool | None = None
        if volume is None:
            self._future.set_result(None)
        else:
            threading.Thread(target=self._read, args=(volume, repositories), daemon=True).start()

    def _read(self, volume: Volume, repositories: Collection[str] | None) -> None:
        try:
            self._future.set_result(volume.read_links(repositories))
        except EngineError as exc:
            self._future.set_result(exc)
        except BaseException as exc:  # noqa: BLE001 -- handed to the thread that waits
            self._future.set_exception(exc)

    @property
    def links(self) -> Links | None:
        """The links, as soon as they are read; None if they cannot be read."""
        found = self._future.result()
        return found if isinstance(found, Links) else None

    def believed_by(self, client: RegistryClient) -> Links | None:
        """The links; None if the registry does not have the same. It is asked once."""
        links = self.links
        if links is None:
            return None
        if self._is_believed is None:
            self._is_believed = agrees(client, links)
        return links if self._is_believed else None

    @property
    def reasons(self) -> Sequence[str]:
        """Why the links cannot be read, if that is known."""
        found = self._future.result()
        return [found.message, *found.details] if isinstance(found, EngineError) else []


def unread_error(what: str, reasons: Sequence[str] = ()) -> EngineError:
    """The error for something that only a volume tells, which cannot be read.

    Args:
        what: A plural, such as `manifests without a tag`.
        reasons: Why it cannot be read, if that is known.
    """
    return EngineError(
        f"{what} are known only from the registry's volume, which localreg cannot read",
        details=reasons,
        hint=Sentence("use an image with a shell, such as registry:2.8.3, that stores its data in its volume"),
    )


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """An error of a volume, in a command that cannot do without it, tells what cannot be known.

    Args:
        what: Known only from the volume, as for `unread_error`.
    """
    try:
        yield
    except EngineLostError:
        raise
    except EngineError as exc:
        raise unread_error(what, [exc.message, *exc.details]) from exc


def read_needed_links(client: RegistryClient | None, volume: Volume, what: str) -> Links:
    """The links of a volume, for a command that cannot do without them.

    Args:
        client: A client of the registry; None if this machine cannot reach it: then its volume is believed.
        volume: The registry's.
        what: Known only from the volume, as for `unread_error`.

    Raises:
        EngineError: the volume cannot be read, or the registry does not serve it.
    """
    with reading(what):
        links = volume.read_links() if client is None else read_served_links(client, volume)
    if links is None:
        raise unread_error(what, ["its volume does not have what the registry answers"])
    return links
