"""What is to be done, as a value: nothing is opened, allocated or started by building one.

    Plan.read(source) | Gaussian(1.5) | Histogram() | sink

A `Node` with two readers is a tee. Folds and sinks let the planes flow on.
"""

from dataclasses import dataclass

from hoaconv.engine.contract import Fold, Op, Sink, Source

__all__ = ["Node", "Part", "Plan"]

Part = Source | Op | Fold | Sink
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

    def __or__(self, part: Op | Fold | Sink) -> "Plan":
        """Go on with `part`; the plan must have a single end."""
        (end,) = self.ends
        return Plan((Node(part, (end,)),))

    def nodes(self) -> tuple[Node, ...]:
        """Every node once, inputs before their readers."""
        order: dict[int, Node] = {}
        for end in self.ends:
            _visit(end, order)
        return tuple(order.values())

    def __str__(self) -> str:
        return " | ".join(str(node.part) for node in self.nodes())


def _visit(node: Node, order: dict[int, Node]) -> None:
    # By identity: two equal nodes are two stages, one node with two readers is a tee.
    if id(node) in order:
        return
    for needed in node.inputs:
        _visit(needed, order)
    order[id(node)] = node
