"""Measures radpool beside its peers, in one run on one machine. It must not change what it measures."""
