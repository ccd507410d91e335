"""What the posts room refuses."""

from __future__ import annotations

from domain.errors import InvalidField


class InvalidPolicy(InvalidField):
    """A field of the claim policy has a value that cannot be; `field` is its name in the policy."""
