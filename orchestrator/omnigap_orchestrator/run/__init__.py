"""A run from plan to table: carriers made, cells asked, answers heard and scored, all over one journal."""
