"""One module per process of a running radpool; each joins its parts and runs until told to stop."""
