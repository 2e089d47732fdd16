"""Values of a whole volume that an earlier run has found: read from its report, given to ops."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hoaconv.engine.contract import Op, Step
from hoaconv.errors import SourceError, SpellingError
from hoaconv.ops.spelling import spell_ops
from hoaconv.units import did_you_mean
from hoaconv.words import PathLike

__all__ = ["Found", "settle", "take_found"]

Found = Mapping[str, Mapping[str, Any]]
"""Values by the chain of ops that needed them, as in `hoaconv.report.Report.found`."""


def take_found(report: PathLike | None) -> Found | None:
    """What a report tells; None if there is no report to read.

    Raises
    ------
    SourceError
        If the file can't be read or is no report.
    """
    if report is None:
        return None
    try:
        found = json.loads(Path(report).read_text(encoding="utf-8"))["found"]
    except OSError as error:
        raise SourceError(f"{report} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        raise SourceError(f"{report} is not a report that hoaconv --report has written") from None
    return dict(found)


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
