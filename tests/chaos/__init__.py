"""`make chaos`: faults of services, connections, processes, media and files, and a table of what they did to runs."""
