"""The program ``hoaconv``, also as ``python -m hoaconv``."""

import os
import signal

__all__ = ["main"]


def main() -> None:
    """Load the command line and run it; interrupted while it loads, end without a traceback."""
    signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _leave)
    from hoaconv.cli import main as run  # noqa: PLC0415 - it takes a moment, not to be disturbed

    run()


def _leave(*_: object) -> None:
    os.write(2, b"hoaconv: interrupted\n")
    os._exit(130)  # nothing is open yet


if __name__ == "__main__":
    main()
