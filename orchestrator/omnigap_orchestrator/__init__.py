"""Everything from items to report; each folder a floor above what it imports."""
