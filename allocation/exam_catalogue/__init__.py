"""The exam catalogue as files: the national lookup's releases and a trust's own."""
