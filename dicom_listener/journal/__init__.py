"""What was acknowledged before its commit: appended by the workers, read back into the worklist, then deleted."""
