"""Who runs what: one acceptor that counts connections, workers that run associations, the link between them."""
