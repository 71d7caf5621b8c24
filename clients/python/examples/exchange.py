"""Exchanges points for miles at a hub that `pointbridge demo --keep` left running.

Its address and its folder of certificates stand in POINTBRIDGE_ENDPOINT and POINTBRIDGE_PKI.
"""

import os

import pointbridge
from pointbridge import v1

till = "partner.supermarket.partner.till-7"
with pointbridge.Client.in_folder(os.environ["POINTBRIDGE_ENDPOINT"], os.environ["POINTBRIDGE_PKI"], till) as hub:
    # A till knows its customer's memberships; this one takes those of an earlier exchange.
    earlier = hub.exchanges.list_exchanges(state=v1.ExchangeState.EXCHANGE_STATE_COMMITTED)
    leg = next(one.legs[0] for one in earlier if one.legs[0].destination.partner_code == "airline")
    hub.ledger.accrue_points(
        membership_id=leg.source.membership_id, amount="300", reason_code="PURCHASE", reference="receipt/4711"
    )
    quote = hub.exchanges.quote_exchange(
        source_membership_id=leg.source.membership_id,
        destination_membership_id=leg.destination.membership_id,
        source_points="300",
    ).quote
    held = hub.exchanges.prepare_exchange(
        quote_token=quote.quote_token, references=v1.References(order="receipt/4711")
    ).exchange
    done = hub.exchanges.commit_exchange(exchange_id=held.exchange_id).exchange
    print(done.exchange_id, v1.ExchangeState.Name(done.state))
    print(done.legs[0].source_points, "points gone,", done.legs[0].credited_points, "miles come")
