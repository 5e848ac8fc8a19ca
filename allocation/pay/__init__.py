"""What insourced reporting pays: dated rate cards, prices that can be recomputed by hand, the ledger."""
