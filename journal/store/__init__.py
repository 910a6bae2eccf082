"""The store: opening databases, their tables, and the queries on them; one file for each dialect."""
