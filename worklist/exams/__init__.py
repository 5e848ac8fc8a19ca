"""What was examined: codes and their mapping, minutes, and what a trust keeps to itself."""
