"""Who sends, from where, and whether a sender has gone quiet."""
