"""The page on all ops, docs/ops.md: ``python -m hoaconv.ops.page > docs/ops.md``."""

from collections.abc import Iterator
from types import ModuleType

from hoaconv.ops.catalogue import (
    FAMILIES,
    catalogue,
    describe,
    example,
    explanation,
    lookup,
    summary,
    usage,
)

__all__ = ["page"]

HEAD = """\
# Ops

What `--ops`, `--label` and `--also` understand, and `hoaconv ops NAME` explains: this page is
printed from the same declarations, by `python -m hoaconv.ops.page > docs/ops.md`. Ops stand in a
chain, `gaussian 1.5 | threshold otsu`; a word's values come in order or by name, `mode=nearest`;
a value per axis is `z,y,x`. Names and boundary modes are those of scipy.ndimage. How to add ops of
your own stands in [engine.md](engine.md).
"""


def page() -> str:
    """The whole page, as Markdown."""
    return "\n".join([HEAD, *_contents(), *_families()])


def _words(family: ModuleType) -> list[str]:
    name = family.__name__
    return [word for word in catalogue() if lookup(word).__module__ == name]


def _contents() -> Iterator[str]:
    yield from ("| op | what it does | example |", "|---|---|---|")
    for word in sorted(word for family in FAMILIES for word in _words(family)):
        yield f"| [{word}](#{word}) | {_cell(summary(word))} | `{example(word)}` |"
    yield ""


def _families() -> Iterator[str]:
    for family in FAMILIES:
        lines = (family.__doc__ or "").strip().split("\n\n")
        yield f"## {lines[0].rstrip('.')}\n"
        yield from (" ".join(line.split()) + "\n" for line in lines[1:])
        for word in _words(family):
            yield from _op(word)


def _op(word: str) -> Iterator[str]:
    yield f"### {word}\n"
    yield f"    {usage(word)}\n"
    yield summary(word)
    yield from (f"\n{line}" for line in explanation(word).splitlines())
    yield ""
    if describe(word):
        yield from ("| parameter | takes | default | meaning |", "|---|---|---|---|")
        for p in describe(word):
            yield f"| {p.name} | {_cell(p.kind)} | {p.default} | {_cell(p.help)} |"
        yield ""


def _cell(text: str) -> str:
    """A table's cell, where a bar would end it."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
