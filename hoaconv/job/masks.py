"""Recognition of masks among volumes: uint8, 0 and 1, as comparisons and thresholds make them."""

from hoaconv.engine.informed import Informed
from hoaconv.engine.plan import Node, Plan
from hoaconv.job.arrays import ArraySource
from hoaconv.ops.masks import keeps_masks, makes_mask
from hoaconv.ops.repeated import Repeated

__all__ = ["gives_mask"]


def gives_mask(plan: Plan) -> bool:
    """Return whether the plan's only end gives a mask, as its ops and its source tell.

    An array of booleans is a mask. Of other files and arrays it isn't known, whatever their voxels.
    """
    known: dict[int, bool] = {}
    for node in plan.nodes():
        known[id(node)] = _gives(node, [known[id(before)] for before in node.inputs])
    return known[id(plan.ends[0])]


def _gives(node: Node, before: list[bool]) -> bool:
    part = node.part.source if isinstance(node.part, Repeated) else node.part
    if isinstance(part, ArraySource):
        return part.is_mask
    if isinstance(part, Informed):
        part, before = part.op, before[:1]
    return makes_mask(part) or (keeps_masks(part) and all(before))
