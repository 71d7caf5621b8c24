"""Writes the module of reasons: an enum with a comment for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from text import HEADER, block

if TYPE_CHECKING:
    from model import Api

INTRODUCTION = '''"""Why the hub refused a call, as an enum of stable names.

Each comment begins with the gRPC status code, then says what is wrong and what to do.
"""

from __future__ import annotations

import enum


class Reason(str, enum.Enum):
    """A reason of refusals.

    Names are stable, and new ones may be added: treat one that is not here by its status code.
    """

'''


def module(api: Api) -> str:
    """The text of `reasons.py`."""
    parts = [HEADER, INTRODUCTION]
    for reason in api.reasons:
        parts.append(f'    {reason.name} = "{reason.name}"\n{block(reason.comment, 4)}')
    return "".join(parts)
