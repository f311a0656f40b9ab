"""Everything from items to report. Packages form layers: each imports only the layers below it."""
