"""What the home RIS is told and what it says of an item that is read here or there."""
