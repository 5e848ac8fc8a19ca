"""Routes: each parses, calls one use case, renders. No SQL and no rule stands here."""
