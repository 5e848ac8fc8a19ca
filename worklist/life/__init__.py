"""What moves an item from state to state, and who may say so."""
