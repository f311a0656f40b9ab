"""From the table of a run to one score per item and condition, and what became of every planned cell."""
