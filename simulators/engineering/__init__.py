"""The built-in domain: engineering analytics of real open-source projects."""
