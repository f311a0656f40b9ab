"""The `triton` service: any model on an NVIDIA Triton server, with its tensors mapped by the options."""
