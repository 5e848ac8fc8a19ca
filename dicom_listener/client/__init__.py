"""What radpool asks and tells a PACS of its own accord: echo, queries, reports of storage commitment."""
