"""The catalogue of ops: one small class an op, one file a family."""
