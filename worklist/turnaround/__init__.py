"""When a report is due: targets as dated rules, clocks that start, stand still and stop."""
