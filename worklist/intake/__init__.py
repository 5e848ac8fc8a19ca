"""What comes in: objects, orders and home reports joined into items, and items turned into work."""
