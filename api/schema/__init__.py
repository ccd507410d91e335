from api.schema import quick as _quick  # noqa: F401 -- before the first type
