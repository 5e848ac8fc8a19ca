"""From encoded bytes to the facts of a header, within bounds and without a value in an error."""
