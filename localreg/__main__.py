"""`python -m localreg`, and the `localreg` program."""

from __future__ import annotations

import gc
import sys

_COMPLETE = "__complete"
_INTERRUPTED = 130
OBJECTS_BEFORE_A_COLLECTION = 100_000


def run() -> None:
    """Run the command line and exit with its code; answer a shell that completes a word."""
    # Objects of modules stay: looking for garbage among them takes a twentieth of a short command's time.
    gc.set_threshold(OBJECTS_BEFORE_A_COLLECTION)
    try:
        raise SystemExit(_run())
    finally:
        # Otherwise the interpreter looks through them once more at its end, which takes a tenth.
        gc.freeze()


def _run() -> int:
    try:
        from localreg.cli.app import app, main  # noqa: PLC0415 -- Ctrl-C may come while it loads

        if sys.argv[1:2] == [_COMPLETE]:
            from localreg.cli.complete import complete  # noqa: PLC0415 -- for shells only

            print(complete(app, sys.argv[2:]))  # noqa: T201
            return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    return main()


if __name__ == "__main__":
    run()
