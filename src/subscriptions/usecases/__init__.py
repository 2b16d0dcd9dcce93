"""What a host can ask for, grouped by noun.

A use case is a function that returns a `Command` or a `Question`; inside is a generator that yields
the reads it needs and returns one decision. It cannot write and cannot call a gateway.
"""
