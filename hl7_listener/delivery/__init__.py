"""What home RIS are told: from events to messages, each acknowledged, sent again or put before a person."""
