"""`python -m localreg`, and the `localreg` program."""

from __future__ import annotations

_INTERRUPTED = 130


def run() -> None:
    """Run the command line and exit with its code."""
    try:
        from localreg.cli.app import main  # noqa: PLC0415 -- Ctrl-C may come while it loads
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None
    raise SystemExit(main())


if __name__ == "__main__":
    run()
