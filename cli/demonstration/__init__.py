"""The demonstration: an invented network, its synthetic studies and the PACS that send them."""
