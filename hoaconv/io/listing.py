"""Listings of the folders of an array, with one call for each folder and none for each file."""

import os
from pathlib import Path

__all__ = ["count_files", "sizes_of"]


def sizes_of(folder: Path, first: int, count: int) -> list[int | None]:
    """Return the bytes of `count` files named `first`, `first` + 1, ...; None for missing ones.

    One listing replaces a call for each file: most chunks of a brain may be zeros and not stored.

    Raises
    ------
    OSError
        If the folder exists and can't be listed.
    """
    wanted = {str(first + i): i for i in range(count)}
    sizes: list[int | None] = [None] * count
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in wanted:
                    sizes[wanted[entry.name]] = entry.stat().st_size
    except FileNotFoundError:
        pass  # no chunk of this row is stored, or another process has removed the folder
    return sizes


def count_files(folder: Path) -> int:
    """Return the number of files in a folder and below it, without a call for each file.

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
            continue  # an array of zeros has no folder, or another process has just removed it
    return count
