"""The client of Pointbridge, the hub between loyalty programs.

```python
import pointbridge

with pointbridge.Client("https://127.0.0.1:7443", ca="ca.pem", certificate="till.pem", key="till.key") as client:
    print(client.partners.who_am_i().principal)
```

`pointbridge.v1` has the messages, `pointbridge.aio` the same client for asyncio. Calls that time may mend are sent
again with the same `request_id`; what fails for good is a `PointbridgeError` with a stable `Reason`. Amounts are
decimal text: `parse_amount` and `format_amount` turn it into `decimal.Decimal` and back.
"""

from pointbridge._client import Client
from pointbridge._pages import AsyncPages, Pages
from pointbridge.amounts import format_amount, parse_amount
from pointbridge.errors import ConfigurationError, PointbridgeError, Violation
from pointbridge.reasons import Reason

__all__ = [
    "AsyncPages",
    "Client",
    "ConfigurationError",
    "Pages",
    "PointbridgeError",
    "Reason",
    "Violation",
    "format_amount",
    "parse_amount",
]
