"""The source `cache`: files that the seed system wrote."""
