"""The command line: commands, tables, progress, signals, exit codes."""
