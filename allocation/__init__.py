"""Who may do the work, who does it, and what it pays."""
