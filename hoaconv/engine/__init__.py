"""The sweep engine: plan, passes, schedule, generators. Knows no file format and no filter."""
