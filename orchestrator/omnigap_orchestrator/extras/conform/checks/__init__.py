"""The checks, a file for each part of the contract; `suite` puts them in order."""
