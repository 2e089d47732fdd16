"""Seeded faults: damaged inputs, signals, full disks, odd names: ``python -m tests.faults``."""
