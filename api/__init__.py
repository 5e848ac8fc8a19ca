"""The HTTP edge: parses a request, calls one use case, renders its result."""
