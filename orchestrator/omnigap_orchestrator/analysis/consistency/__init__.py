"""Whether the conditions get the same items right: agreement, and the list of flips."""
