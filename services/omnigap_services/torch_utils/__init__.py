"""What services with a torch model share: versions, devices, revisions, memory, stopping, seeds."""
