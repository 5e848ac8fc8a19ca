"""Who should read what next, for the whole network at once."""
