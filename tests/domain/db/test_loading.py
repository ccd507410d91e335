"""Tortoise as this program loads it does what it does elsewhere."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest
from tortoise import models, validators

from domain.db import loading


def test_late_patterns_find_what_theirs_find() -> None:
    validators.validate_domain_name("example.com")
    validators.validate_domain_name("bücher.example")
    validators.validate_url("https://bücher.example/a?b=c")
    for wrong in ("-a.example", "a_b.example", "nothing"):
        with pytest.raises(validators.InvalidDomainName):
            validators.validate_domain_name(wrong)
    late, at_once = loading._late(f"[a-z{loading.EVERY_LETTER}]+", re.IGNORECASE), loading._late("[a-z]+", re.IGNORECASE)
    assert isinstance(late, loading.Late)
    assert isinstance(at_once, re.Pattern)
    assert late.pattern == f"[a-z{loading.EVERY_LETTER}]+"
    assert late.fullmatch("ÜX") is not None
    assert late.fullmatch("5") is None


def test_loading_puts_back_what_it_replaced() -> None:
    assert re.compile.__module__ == "re"
    assert inspect.getsource.__module__ == "inspect"
    loading.load()
    assert re.compile.__module__ == "re"
    assert inspect.getsource.__module__ == "inspect"


def test_no_model_says_anything_that_is_left_out() -> None:
    told = """
import inspect, re
from tortoise import models
theirs = models._get_comments
from importlib import import_module
from domain.bootstrap import MODEL_MODULES
assert models._get_comments is not theirs
found = {}
for name in MODEL_MODULES:
    for value in vars(import_module(name)).values():
        if isinstance(value, type) and issubclass(value, models.Model):
            found[value] = theirs(value)
print(len(found), [words for words in found.values() if words])
"""
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    many, said = done.stdout.split(maxsplit=1)
    assert int(many) > 30
    assert said.strip() == "[]"
    assert models._get_comments(models.Model) == {}
