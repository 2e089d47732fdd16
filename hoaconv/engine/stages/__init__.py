"""Kinds of stages: a module each, which answers every question that the engine asks about one.

To add a kind, derive a class of parts from `hoaconv.engine.part.Part`, with a `kind` of its own,
derive one from `Kind` that answers for them, and `register` that.
"""

from hoaconv.engine.stages.appended import AppendedKind
from hoaconv.engine.stages.fold import FoldKind
from hoaconv.engine.stages.informed import InformedKind
from hoaconv.engine.stages.join import JoinKind
from hoaconv.engine.stages.kind import Kind, Share, inferred, kind_of, register
from hoaconv.engine.stages.layered import LayeredKind
from hoaconv.engine.stages.op import OpKind
from hoaconv.engine.stages.resample import ResampleKind
from hoaconv.engine.stages.running import Planes, Running
from hoaconv.engine.stages.scan import ScanKind
from hoaconv.engine.stages.sink import HoldKind, SinkKind
from hoaconv.engine.stages.source import SourceKind
from hoaconv.engine.stages.stage import At, Counts, Found, Place, Stage

__all__ = [
    "At",
    "Counts",
    "Found",
    "Kind",
    "Place",
    "Planes",
    "Running",
    "Share",
    "Stage",
    "inferred",
    "kind_of",
    "register",
]

_KINDS = (
    *(SourceKind, LayeredKind, AppendedKind, OpKind, ResampleKind, ScanKind, JoinKind),
    *(FoldKind, SinkKind, HoldKind, InformedKind),
)

for _kind in _KINDS:
    register(_kind())
