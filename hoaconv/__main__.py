"""The program ``hoaconv``, also as ``python -m hoaconv``."""

import os
import signal

__all__ = ["main"]

ENDS = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, 0))]


def main() -> None:
    """Load the command line and run it; interrupted while it loads, end without a traceback."""
    for number in ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, _leave)
    from hoaconv.cli import main as run  # noqa: PLC0415 - it takes a moment, not to be disturbed

    run()


def _leave(number: int, _: object) -> None:
    os.write(2, b"hoaconv: interrupted\n")
    os._exit(128 + number)  # nothing is open yet


if __name__ == "__main__":
    main()
