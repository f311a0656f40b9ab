"""The command line: each command parses, calls one floor below, prints, and ends with an honest exit code."""
