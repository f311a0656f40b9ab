"""Version 1 of the contract: generated message and service classes (see `proto/generate.sh`)."""
