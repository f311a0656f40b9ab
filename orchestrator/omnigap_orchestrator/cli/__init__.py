"""The command line: each command parses its flags, calls the package, prints the result and sets the exit code."""
