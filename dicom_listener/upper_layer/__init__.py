"""The protocol: one association from its first byte to its close, messages put together, command sets."""
