"""A job as a value: volumes, ops and outputs, planned and run in one pipeline."""
