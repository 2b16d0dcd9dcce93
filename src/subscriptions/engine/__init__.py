"""Carries decisions out: the only place with a clock, a transaction and a gateway call."""
