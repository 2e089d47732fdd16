"""What lies in the folders of an array: asked for a folder at a time, never for each file."""

import os
from pathlib import Path

__all__ = ["count_files", "sizes_of"]


def sizes_of(folder: Path, first: int, count: int) -> list[int | None]:
    """Return the bytes of files called `first`, ...; None for each that isn't there.

    One listing instead of a question a file: most of a brain's chunks may be zeros.

    Raises
    ------
    OSError
        If the folder is there and can't be listed.
    """
    wanted = {str(first + i): i for i in range(count)}
    sizes: list[int | None] = [None] * count
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in wanted:
                    sizes[wanted[entry.name]] = entry.stat().st_size
    except FileNotFoundError:
        pass  # no chunk of this row is stored, or somebody has removed the folder
    return sizes


def count_files(folder: Path) -> int:
    """Return how many files lie in a folder and below it; no file is asked for.

    Raises
    ------
    OSError
        If a folder can't be listed.
    """
    count, todo = 0, [folder]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(Path(entry.path))
                    else:
                        count += 1
        except FileNotFoundError:
            continue  # an array of zeros has no folder, or somebody removes it now
    return count
