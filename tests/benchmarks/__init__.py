"""How fast, in how much memory, against what: ``python -m tests.benchmarks``.

Run by hand from the project root; nothing here is a test. Each job is a program of its own,
started afresh and measured from outside, and the jobs that read the same stack take turns.
A new job is an entry in `groups.py`, a new op against scipy one in `op_speed.py`; a new peer is a
program, a line in `environments.py` and its range in the extra ``bench``.
"""
