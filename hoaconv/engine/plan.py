"""What is to be done, as a value: nothing is opened, allocated or started by building one.

    Plan.read(source) | Gaussian(1.5) | Histogram() | sink

A `Node` with two readers is a tee. Folds and sinks let the planes flow on. ``one & other`` puts
two plans into one sweep:

    planes = Plan.read(source)
    (planes | Gaussian(1.5) | sink) & (planes | Gaussian(1.5) | Threshold(9) | labels)

and a join makes one stream of both (Python's ``&`` binds tighter than ``|``):

    (planes | Gaussian(1)) & (planes | Gaussian(2)) | Combine(numpy.subtract) | sink
"""

from dataclasses import dataclass

from hoaconv.engine.contract import Fold, Join, Op, Resample, Scan, Sink, Source
from hoaconv.errors import PlanError

__all__ = ["Node", "Part", "Plan"]

Part = Source | Op | Resample | Scan | Join | Fold | Sink
"""What may stand in a plan."""


@dataclass(frozen=True)
class Node:
    """One part and the nodes whose planes it takes."""

    part: Part
    inputs: tuple["Node", ...] = ()


@dataclass(frozen=True)
class Plan:
    """An immutable directed acyclic graph of parts; `ends` are the nodes that nobody reads."""

    ends: tuple[Node, ...]

    @classmethod
    def read(cls, source: Source) -> "Plan":
        """Begin with the planes of `source`."""
        return cls((Node(source),))

    def __or__(self, part: Op | Resample | Scan | Join | Fold | Sink) -> "Plan":
        """Go on with `part`: a join takes all ends, anything else the only one.

        Raises
        ------
        PlanError
            If there are several ends and `part` is no join.
        """
        if len(self.ends) > 1 and not isinstance(part, Join):
            raise PlanError(f"{part} takes one stream, but the plan has {len(self.ends)} ends")
        return Plan((Node(part, self.ends),))

    def __and__(self, other: "Plan") -> "Plan":
        """Both, in one sweep: what they have in common is done once.

        Common is what is the same node, or an equal op on the same node: two branches that
        both begin with ``Gaussian(1.5)`` share it.
        """
        known: dict[tuple[object, tuple[int, ...]], Node] = {}
        seen: dict[int, Node] = {}
        return Plan(tuple(_shared(end, known, seen) for end in self.ends + other.ends))

    def nodes(self) -> tuple[Node, ...]:
        """Every node once, inputs before their readers."""
        order: dict[int, Node] = {}
        for end in self.ends:
            _visit(end, order)
        return tuple(order.values())

    def __str__(self) -> str:
        return " | ".join(str(node.part) for node in self.nodes())


def _shared(
    node: Node, known: dict[tuple[object, tuple[int, ...]], Node], seen: dict[int, Node]
) -> Node:
    """The node in `known` that does the same, or this one with shared inputs; `seen` by its id."""
    if id(node) not in seen:
        inputs = tuple(_shared(needed, known, seen) for needed in node.inputs)
        part = node.part
        # Ops and joins are values, the others are not.
        same = part if isinstance(part, Op | Resample | Scan | Join) else id(part)
        seen[id(node)] = known.setdefault((same, tuple(map(id, inputs))), Node(part, inputs))
    return seen[id(node)]


def _visit(node: Node, order: dict[int, Node]) -> None:
    # By identity: two equal nodes are two stages, one node with two readers is a tee.
    if id(node) in order:
        return
    for needed in node.inputs:
        _visit(needed, order)
    order[id(node)] = node
