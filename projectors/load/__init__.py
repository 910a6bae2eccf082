"""Set-based writing, one file for each make of database."""
