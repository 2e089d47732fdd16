"""Values of a whole volume that an earlier run has found: read from its report, given to ops."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hoaconv.engine.contract import Op
from hoaconv.engine.plan import Node, Plan
from hoaconv.errors import SourceError, SpellingError
from hoaconv.io.opened import check_regular
from hoaconv.job.chain import spelled_chains
from hoaconv.units import did_you_mean

__all__ = ["Earlier", "bind", "chains_that_need", "read_earlier"]

Found = Mapping[str, Mapping[str, Any]]
"""Values by the chain of ops that needed them, as in `hoaconv.job.report.Report.found`."""


@dataclass(frozen=True)
class Earlier:
    """Values from the report of an earlier run, and the volume that they belong to."""

    path: Path
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


def read_earlier(report: Path | None) -> Earlier | None:
    """Read a report; return None if there is none to read.

    Raises
    ------
    SourceError
        If the file can't be read or is no report.
    """
    if report is None:
        return None
    try:
        check_regular(report)
        told = json.loads(report.read_text(encoding="utf-8"))
        return Earlier(report, dict(told["found"]), str(told["source"]), tuple(told["shape"]))
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{report} can't be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError):
        raise SourceError(f"{report} is not a report that an option `report` has written") from None


def bind(plan: Plan, earlier: Earlier | None) -> Plan:
    """Give the ops of a plan the values that an earlier run has found.

    Raises
    ------
    SpellingError
        If an op needs a value that the report doesn't have.
    """
    if earlier is None:
        return plan
    made: dict[int, Node] = {}
    chains = spelled_chains(plan, folds=False)
    for node in plan.nodes():
        inputs = tuple(made[id(needed)] for needed in node.inputs)
        made[id(node)] = Node(_bound(node, chains[id(node)], earlier.found), inputs)
    return Plan(tuple(made[id(end)] for end in plan.ends))


def chains_that_need(plan: Plan) -> dict[str, Op]:
    """Return the ops that need a value of the whole volume, by the chain up to each."""
    chains = spelled_chains(plan, folds=False)
    return {
        chains[id(node)]: node.part
        for node in plan.nodes()
        if isinstance(node.part, Op) and node.part.needs is not None
    }


def _bound(node: Node, chain: str, found: Found) -> Any:
    op = node.part
    if not isinstance(op, Op) or op.needs is None:
        return op
    if chain not in found:
        held = ", ".join(f"'{key}'" for key in found) or "none"
        raise SpellingError(
            f"the report has no value for '{chain}'{did_you_mean(chain, found)}; it has: {held}"
        )
    return op.settle(found[chain])
