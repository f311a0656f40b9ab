"""The `triton` service: any model on an NVIDIA Triton server, its tensors mapped onto the contract's parts."""
