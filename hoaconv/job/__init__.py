"""Volumes as values: opened lazily, changed by ops, computed under a memory budget."""
