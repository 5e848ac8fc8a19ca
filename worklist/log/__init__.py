"""What happened: events in order, the audit, and who is woken by them."""
