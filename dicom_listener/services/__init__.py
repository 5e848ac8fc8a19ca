"""The DIMSE services of the listener: each answers one kind of request with a status."""
