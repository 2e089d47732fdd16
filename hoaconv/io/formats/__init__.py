"""Formats of volumes that lie in one file or store: a module each, found by `registry`."""
