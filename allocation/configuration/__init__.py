"""The network's configuration: its document, where an error stands in it, and how it takes effect."""
