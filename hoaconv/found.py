"""Values of a whole volume that an earlier run has found: read from its report, given to ops."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoaconv.engine.contract import Op, Step
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.opened import check_regular
from hoaconv.ops.spelling import spell_ops
from hoaconv.units import did_you_mean
from hoaconv.words import PathLike

__all__ = ["Earlier", "Found", "settle", "take_earlier"]

Found = Mapping[str, Mapping[str, Any]]
"""Values by the chain of ops that needed them, as in `hoaconv.report.Report.found`."""


@dataclass(frozen=True)
class Earlier:
    """What the report of an earlier run tells: values, and of which volume they are."""

    path: PathLike
    found: Found
    source: str
    shape: tuple[int, ...]

    def differs_from(self, source: str, shape: tuple[int, ...]) -> str | None:
        """Return a note where the report is that of another volume; None if it may be of this."""
        if Path(self.source).name == Path(source).name and self.shape == shape:
            return None
        told = " x ".join(map(str, self.shape))
        return (
            f"{self.path} is the report of another run: its source was {self.source}, its output "
            f"{told}; its values may not be those of {source}"
        )


def take_earlier(report: PathLike | None) -> Earlier | None:
    """What a report tells; None if there is no report to read.

    Raises
    ------
    SourceError
        If the file can't be read or is no report.
    """
    if report is None:
        return None
    try:
        check_regular(Path(report))
        told = json.loads(Path(report).read_text(encoding="utf-8"))
        return Earlier(report, dict(told["found"]), str(told["source"]), tuple(told["shape"]))
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{report} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        raise SourceError(f"{report} is not a report that hoaconv --report has written") from None


def settle(ops: Sequence[Step], found: Found | None) -> tuple[Step, ...]:
    """The ops, knowing what was found.

    Raises
    ------
    SpellingError
        If an op needs a value that the report doesn't have.
    """
    return tuple(_settled(ops[: i + 1], found) for i in range(len(ops)))


def _settled(chain: Sequence[Step], found: Found | None) -> Step:
    """The chain's last op."""
    op = chain[-1]
    if found is None or not isinstance(op, Op) or op.needs is None:
        return op
    spelled = spell_ops(chain)
    if spelled not in found:
        held = ", ".join(f"'{key}'" for key in found) or "none"
        raise SpellingError(
            f"the report has no value for '{spelled}'{did_you_mean(spelled, found)}; it has: {held}"
        )
    return op.settle(found[spelled])
