"""The histogram of a stack and nothing else, by the engine from Python."""

from pathlib import Path

from hoaconv.engine import machine
from hoaconv.engine.passes import schedule
from hoaconv.engine.plan import Plan
from hoaconv.engine.run import run, warm
from hoaconv.engine.schedule import Limits
from hoaconv.io.stack import open_stack
from hoaconv.ops.measure import Histogram
from tests.benchmarks.program import Clock, main


def _histogram(src: Path, dst: Path, workers: int, clock: Clock) -> None:
    planned = Plan.read(open_stack(src)) | Histogram()
    warm(planned)
    made = schedule(planned, Limits(machine.memory_limit() // 2, workers, machine.resident()))
    with clock("histogram"):
        run(made)


if __name__ == "__main__":
    main(_histogram)
