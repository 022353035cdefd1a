"""Numerics: what processing-in-memory arrays make of a network, whose column sums converters read."""
