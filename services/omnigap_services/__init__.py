"""Model services: the Generate server, and one module or package per service."""
