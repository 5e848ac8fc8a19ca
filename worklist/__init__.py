"""What work there is and where each piece stands; knows nothing of who does it."""
