"""AnyGPT 7B: a language model over discrete tokens of text, speech and images, with the codecs of the latter."""
