"""Measured figures into docs/performance.md, between marks; what stands around them is by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.jobs import Group
from tests.benchmarks.page import PAGE, place, replaced
from tests.benchmarks.plots import draw
from tests.benchmarks.rounds import Run
from tests.benchmarks.views import show

__all__ = ["publish"]

PICTURES = PAGE.with_suffix("")


def publish(
    groups: Sequence[Group],
    size: str,
    about: Mapping[str, str],
    runs: Sequence[Run],
    failed: Mapping[str, str],
    page: Path = PAGE,
    pictures: Path = PICTURES,
) -> None:
    """Write the groups' tables and pictures into the page."""
    text = page.read_text(encoding="utf-8")
    for group in groups:
        name = place(group, size)
        drawn = draw(group, runs, pictures, name)
        parts = (
            "\n".join(f"- {key}: {value}" for key, value in about.items()),
            show(group, runs),
            "\n".join(f"![{path.stem}]({path.relative_to(page.parent)})" for path in drawn),
            "\n".join(_failure(job.name, failed) for job in group.jobs if job.name in failed),
        )
        text = replaced(text, name, "\n\n".join(part for part in parts if part))
    page.write_text(text, encoding="utf-8")


def _failure(job: str, failed: Mapping[str, str]) -> str:
    return f"- `{job}` gave no figures: {failed[job].splitlines()[-1]}"
