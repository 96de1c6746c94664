"""`python -m localreg`, and the `localreg` program."""

from __future__ import annotations

from localreg.cli.app import main


def run() -> None:
    """Run the command line and exit with its code."""
    raise SystemExit(main())


if __name__ == "__main__":
    run()
