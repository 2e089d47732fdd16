"""The program ``hoaconv``, also as ``python -m hoaconv``."""

import signal
import sys

from hoaconv.terminal import signals

__all__ = ["main"]

LEAST = {"-v": 450 << 20, "-d": 160 << 20}
"""Bytes that loading takes, by the option of ulimit; measured: 400 and 125 MiB are too few."""


def main() -> None:
    """Load the command line and run it; interrupted while it loads, end without a traceback."""
    for number in signals.ENDS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, signals.leave)
    _check_memory()
    from hoaconv.terminal.app import main as run  # noqa: PLC0415 - it takes a moment, not to be disturbed

    run()


def _check_memory() -> None:
    """Refuse what `LEAST` says, before libraries are loaded: they end the process there."""
    if sys.platform != "linux":
        return
    import resource  # noqa: PLC0415 - Windows has none

    for option, kind in (("-v", resource.RLIMIT_AS), ("-d", resource.RLIMIT_DATA)):
        allowed = resource.getrlimit(kind)[0]
        if allowed != resource.RLIM_INFINITY and allowed < LEAST[option]:
            sys.exit(_told(option, allowed))


def _told(option: str, allowed: int) -> int:
    text = (
        f"hoaconv: ulimit {option} allows this process {allowed >> 20} MiB of memory, and loading "
        f"its libraries takes {LEAST[option] >> 20} MiB; raise the limit"
    )
    print(text, file=sys.stderr)
    return 4


if __name__ == "__main__":
    main()
