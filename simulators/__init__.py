"""Turns facts into seed events. Knows the journal and no target; the built-in domain is in `engineering`."""
