"""What managers see: backlog, turnaround and skill mix; reads, never decides."""
