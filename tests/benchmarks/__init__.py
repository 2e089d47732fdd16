"""How fast, in how much memory, against what: ``python -m tests.benchmarks``.

Run by hand from the project root; nothing here is a test. Each job is a program of its own,
started afresh and measured from outside, and the jobs that read the same stack take turns.
A new job is a row in `jobs.py`.
"""
