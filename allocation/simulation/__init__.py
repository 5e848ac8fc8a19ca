"""What would happen if: plans carried forward in time, without touching the work itself."""
