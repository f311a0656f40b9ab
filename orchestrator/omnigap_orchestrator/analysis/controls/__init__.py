"""Control cells, and the waterfall: what is guessed, what changes when asked again, where a gap arises."""
