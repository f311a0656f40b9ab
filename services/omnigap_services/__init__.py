"""What runs in a container: the Generate server, and one module or folder per service."""
