"""Some planes of a volume as a plan of their own, which reads no more than they need.

Planes that lie apart are put side by side: an op that needs neighbours finds those of a wanted
plane beside it, and what it makes at the seams isn't wanted. Where the whole volume is needed, for
a number or to follow objects, it is read as a whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from hoaconv.engine.contract import Fold, Join, Op, Resample, Source
from hoaconv.engine.informed import Informed
from hoaconv.engine.plan import Node, Plan
from hoaconv.engine.spec import Spec
from hoaconv.job.chain import specs_of
from hoaconv.ops.excerpt import Excerpt, Selection

__all__ = ["excerpt"]

Planes = tuple[int, ...]
"""Planes along z, in ascending order."""


def excerpt(plan: Plan, wanted: Sequence[int]) -> Plan:
    """Return the plan of some planes, in ascending order, of a plan's only end."""
    plan = _turned(plan)
    nodes, specs = plan.nodes(), specs_of(plan)
    (end,) = plan.ends
    if len(wanted) == specs[id(end)].planes:
        return plan
    asked: dict[int, set[int]] = {id(node): set() for node in nodes}
    asked[id(end)] |= set(wanted)
    for node in reversed(nodes):
        for before in node.inputs[: _streams(node)]:
            taken = specs[id(before)]
            asked[id(before)] |= set(_needed(node.part, taken, sorted(asked[id(node)])))
    made: dict[int, tuple[Node, Planes]] = {}
    for node in nodes:
        planes = tuple(sorted(asked[id(node)]))
        if planes:  # else only a number of it is wanted
            made[id(node)] = _excerpt(node, planes, made, specs)
    return Plan((_kept(*made[id(end)], tuple(wanted)),))


def _turned(plan: Plan) -> Plan:
    """Return the plan with transpositions moved into the sources that they stand behind."""
    made: dict[int, Node] = {}
    for node in plan.nodes():
        inputs = tuple(made[id(before)] for before in node.inputs)
        made[id(node)] = _turned_source(node, inputs) or (
            node if inputs == node.inputs else Node(node.part, inputs)
        )
    return Plan(tuple(made[id(end)] for end in plan.ends))


def _turned_source(node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """Return the source that gives what a transposition of a source gives; else None."""
    if not (isinstance(node.part, Resample) and isinstance(inputs[0].part, Source)):
        return None
    source = inputs[0].part
    order = node.part.turns(source.spec)
    turned = None if order is None else source.transposed(order)
    return None if turned is None else Node(turned)


def _streams(node: Node) -> int:
    """Return how many of a node's inputs give it planes; others only tell it a number."""
    return 1 if isinstance(node.part, Informed) else len(node.inputs)


def _needed(part: Any, spec: Spec, wanted: Sequence[int]) -> Iterable[int]:
    """Return the planes of the input, of `spec`, that some planes of the result are made of."""
    if not wanted:
        return ()
    if isinstance(part, Resample):
        return _chosen(part, spec, wanted) or Excerpt.needed(part, spec, wanted)
    if isinstance(part, Join | Fold):
        return wanted
    if isinstance(part, Op | Informed):
        reach = (part.op if isinstance(part, Informed) else part).halo[0]
        near = (range(max(0, z - reach), min(z + reach + 1, spec.planes)) for z in wanted)
        return chain.from_iterable(near)
    return range(spec.planes)


def _chosen(part: Resample, spec: Spec, wanted: Sequence[int]) -> list[int]:
    """Return the planes of the input of which each is one of the result; none if it mixes them."""
    chosen = part.chooses(spec)
    return [] if chosen is None else sorted(chosen[z] for z in wanted)


def _excerpt(
    node: Node, planes: Planes, made: Mapping[int, tuple[Node, Planes]], specs: Mapping[int, Spec]
) -> tuple[Node, Planes]:
    """Return the node that makes some planes of what `node` makes, and the planes that it makes."""
    part = node.part
    if isinstance(part, Source):
        every = len(planes) == part.spec.planes
        return (node if every else Node(part.choose(planes))), planes
    before, taken = made[id(node.inputs[0])]
    if isinstance(part, Fold):
        return before, taken
    if isinstance(part, Resample):
        return _resampled(part, specs[id(node.inputs[0])], planes, before, taken)
    if isinstance(part, Join):
        kept = tuple(_kept(*made[id(other)], planes) for other in node.inputs)
        return Node(part, kept), planes
    whole = node.inputs[1:]  # of which an informed op needs numbers
    if isinstance(part, Op) and part.needs is not None:
        part, whole = Informed(part, (part.needs,)), node.inputs
    return Node(part, (before, *whole)), taken


def _resampled(
    part: Resample, spec: Spec, planes: Planes, before: Node, taken: Planes
) -> tuple[Node, Planes]:
    """Return the node of some planes of a resample's result."""
    chosen = part.chooses(spec)
    if chosen is None:
        return Node(Excerpt(part, spec, planes, taken), (before,)), planes
    before = _kept(before, taken, tuple(sorted(chosen[z] for z in planes)))
    backwards = chosen.step < 0 and len(planes) > 1
    left = part if backwards else part.within()
    return (before if left is None else Node(left, (before,))), planes


def _kept(node: Node, planes: Planes, wanted: Planes) -> Node:
    """Return the node that gives some of a node's planes alone."""
    if planes == wanted:
        return node
    place = {z: i for i, z in enumerate(planes)}
    return Node(Selection(tuple(place[z] for z in wanted)), (node,))
