"""Amounts as the API writes them: decimal text, never floating point.

Points, money and prices are strings in messages. These two turn them into `decimal.Decimal` and back without losing a
digit; how many decimals an amount may have is its program's or its currency's, and the hub says so where it has more.
"""

from __future__ import annotations

import re
from decimal import Decimal

_AMOUNT = re.compile(r"-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,12})?", re.ASCII)


def parse_amount(text: str) -> Decimal:
    """The number that an amount of the API stands for, with all its decimals.

    Raises:
        ValueError: The text is no amount: it has an exponent, a plus sign, spaces, leading zeros, more than 20 digits
            before the point or more than 12 behind it.
    """
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{text!r} is no amount: digits, at most one point, and a minus sign where it is negative")
    return Decimal(text)


def format_amount(value: Decimal | int) -> str:
    """An amount as the API takes it. `Decimal("1E+3")` becomes `1000`, and decimals stay as they are: `1.50`.

    Raises:
        TypeError: The value is a `float` or a `bool`: neither is an exact amount.
        ValueError: The value is no finite number, or too large or too fine to be an amount.
    """
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise TypeError(f"{value!r} is no exact amount: give a Decimal or an int, such as Decimal('1.50')")
    text = format(Decimal(value), "f")
    if text.startswith("-") and not text.strip("-0."):
        text = text[1:]
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{value!r} is no amount: at most 20 digits before the point and 12 behind it")
    return text
