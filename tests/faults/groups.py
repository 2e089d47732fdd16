"""All groups of tries, by name."""

from . import changing, disks, inputs, names, ops, resources, signals, two_runs
from .trials import Group

__all__ = ["GROUPS"]

GROUPS: dict[str, Group] = {
    module.GROUP.name: module.GROUP
    for module in (inputs, ops, signals, disks, names, two_runs, resources, changing)
}
"""Each of them is fair: kinds take turns within a group."""
