"""The comment reader: what a buyer asked for, from one comment against one post."""

from domain.claims.recognition.context import Context, compile_context
from domain.claims.recognition.normalise import normalise
from domain.claims.recognition.recognizer import recognize
from domain.claims.recognition.result import Confidence, Intent, Line, Op, Reason, Result, Scope, Trail, TrailKind

RULES_VERSION = "2"
"""Changes whenever the same comment may be read differently."""

__all__ = [
    "RULES_VERSION",
    "Confidence",
    "Context",
    "Intent",
    "Line",
    "Op",
    "Reason",
    "Result",
    "Scope",
    "Trail",
    "TrailKind",
    "compile_context",
    "normalise",
    "recognize",
]
