"""Plans: the work to be done, as a value. Building one opens, allocates and starts nothing.

    Plan.read(source) | Gaussian(1.5) | Histogram() | sink

A `Node` with two readers is a tee. Folds and sinks let the planes flow on. ``one & other`` puts
two plans into one sweep:

    planes = Plan.read(source)
    (planes | Gaussian(1.5) | sink) & (planes | Gaussian(1.5) | Threshold(9) | labels)

and a join makes one stream of both (Python's ``&`` binds tighter than ``|``):

    (planes | Gaussian(1)) & (planes | Gaussian(2)) | Combine(numpy.subtract) | sink
"""

from dataclasses import dataclass

from hoaconv.engine.contract import Source
from hoaconv.engine.part import Part, named
from hoaconv.engine.stages import kind_of
from hoaconv.errors import PlanError

__all__ = ["Node", "Part", "Plan"]


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
        """Begin with the planes of `source`.

        Raises
        ------
        PlanError
            If it is no source.
        """
        if not (isinstance(source, Part) and kind_of(source).reads):
            raise PlanError(
                f"Plan.read takes a source, not {named(source)}; of an array or a path, "
                "hoaconv.open makes a volume, and a class derived from hoaconv.engine.contract."
                "Source is a source"
            )
        return cls((Node(source),))

    def __or__(self, part: Part) -> "Plan":
        """Go on with `part`: a join takes all ends, anything else the only one.

        Raises
        ------
        PlanError
            If `part` is none that follows others, or there are several ends and it is no join.
        """
        if not isinstance(part, Part) or kind_of(part).reads:
            raise PlanError(f"{named(part)} can't follow in a plan; {_advice(part)}")
        if len(self.ends) > 1 and not kind_of(part).takes_all:
            raise PlanError(f"{part} takes one stream, but the plan has {len(self.ends)} ends")
        return Plan((Node(part, self.ends),))

    def __and__(self, other: "Plan") -> "Plan":
        """Return both in one sweep; nodes that they have in common are done once.

        Nodes are common if they are the same, or equal ops on the same node: two branches that both
        begin with ``Gaussian(1.5)`` share it.
        """
        known: dict[tuple[object, tuple[int, ...]], Node] = {}
        seen: dict[int, Node] = {}
        return Plan(tuple(_shared(end, known, seen) for end in self.ends + other.ends))

    def nodes(self) -> tuple[Node, ...]:
        """Return every node once, inputs before their readers."""
        order: dict[int, Node] = {}
        for end in self.ends:
            _visit(end, order)
        return tuple(order.values())

    def __str__(self) -> str:
        return " | ".join(str(node.part) for node in self.nodes())


def _advice(value: object) -> str:
    """Return what to write in place of a value that is no part of a plan."""
    if isinstance(value, str):
        return "write the op as an object, such as Gaussian(1.5); hoaconv.ops.spelling parses texts"
    if isinstance(value, Plan):
        return "two plans go into one sweep by one & other"
    if isinstance(value, Part):
        return "a source begins a plan: write Plan.read(source)"
    return "write an op, a fold or a sink: a class derived from one in hoaconv.engine.contract"


def _shared(
    node: Node, known: dict[tuple[object, tuple[int, ...]], Node], seen: dict[int, Node]
) -> Node:
    """Return the node in `known` that does the same, or this one with shared inputs."""
    if id(node) not in seen:
        inputs = tuple(_shared(needed, known, seen) for needed in node.inputs)
        part = node.part
        same = part if kind_of(part).is_value else id(part)
        seen[id(node)] = known.setdefault((same, tuple(map(id, inputs))), Node(part, inputs))
    return seen[id(node)]


def _visit(node: Node, order: dict[int, Node]) -> None:
    # By identity: two equal nodes are two stages, one node with two readers is a tee.
    if id(node) in order:
        return
    for needed in node.inputs:
        _visit(needed, order)
    order[id(node)] = node
