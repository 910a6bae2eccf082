"""Where facts come from; each source is a module of its own."""
