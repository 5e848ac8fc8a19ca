"""Alerts of reports: their timers, acknowledgement and escalation."""
