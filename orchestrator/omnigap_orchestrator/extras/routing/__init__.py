"""Which form of question and answer a product should take for each task."""
