"""The shapes that the API takes and gives; pydantic models and nothing that acts."""
