"""Known truths put through the analysis: do its intervals hold?"""
