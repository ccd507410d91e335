"""Running one GraphQL request: HTTP in and out, limits, prepared documents, errors."""
