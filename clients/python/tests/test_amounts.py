"""Amounts are exact, or refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pointbridge import format_amount, parse_amount


@pytest.mark.parametrize("text", ["0", "7", "300.00", "-111.000000", "99999999999999999999.999999999999"])
def test_amounts_come_back_as_they_were(text: str) -> None:
    assert format_amount(parse_amount(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "1e3", "+1", " 1", "01", "1.", ".5", "1,5", "NaN", "Infinity", "\u0661", "1_000", "1\n", 21 * "1"],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no amount"):
        parse_amount(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (300, "300"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E-12"), "0.000000000001"),
        (Decimal("-0.00"), "0.00"),
        (Decimal("-0.01"), "-0.01"),
    ],
)
def test_numbers_are_written_without_exponent(value: Decimal | int, text: str) -> None:
    assert format_amount(value) == text


@pytest.mark.parametrize("value", [0.1, True, "1"])
def test_what_is_not_exact_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no exact amount"):
        format_amount(value)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), Decimal("1E+20"), Decimal("1E-13")])
def test_what_is_too_large_or_too_fine_is_refused(value: Decimal) -> None:
    with pytest.raises(ValueError, match="no amount"):
        format_amount(value)
