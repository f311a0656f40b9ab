"""What a study of this size can show: detectable gaps, items needed, equivalence."""
