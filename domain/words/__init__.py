"""Words for people in their own language: which language, and a phrase in it. Pure.

A phrase stands in the code as a pair, (zh-TW, en), and may hold `{facts}`. Hong Kong's and China's words are in the catalogues beside this
file, found by the English; `make catalogues` brings them up to date with the code.
"""

from __future__ import annotations

from domain.words.catalogues import Pair, say
from domain.words.languages import CHINA, ENGLISH, HONG_KONG, LANGUAGES, TAIWAN, language_for, negotiate

__all__ = ["CHINA", "ENGLISH", "HONG_KONG", "LANGUAGES", "TAIWAN", "Pair", "language_for", "negotiate", "say"]
