"""Carriers, and the pages on which they tell where a parcel is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Carrier(StrEnum):
    SEVEN_ELEVEN = "SEVEN_ELEVEN"
    FAMILY_MART = "FAMILY_MART"
    HI_LIFE = "HI_LIFE"
    OK_MART = "OK_MART"
    T_CAT = "T_CAT"
    POST = "POST"
    HCT = "HCT"
    KERRY_TJ = "KERRY_TJ"
    SF_EXPRESS = "SF_EXPRESS"
    OTHER = "OTHER"


STORES: Final = frozenset({Carrier.SEVEN_ELEVEN, Carrier.FAMILY_MART, Carrier.HI_LIFE, Carrier.OK_MART})
"""Those that deliver to a convenience store."""

TRACKING: Final[Mapping[Carrier, str]] = MappingProxyType(
    {
        Carrier.SEVEN_ELEVEN: "https://eservice.7-11.com.tw/e-tracking/search.aspx",
        Carrier.FAMILY_MART: "https://fmec.famiport.com.tw/FP_Entrance/QueryBox",
        Carrier.HI_LIFE: "https://www.hilife.com.tw/",
        Carrier.OK_MART: "https://ecservice.okmart.com.tw/Tracking/Search",
        Carrier.T_CAT: "https://www.t-cat.com.tw/Inquire/TraceDetail.aspx?BillID={number}",
        Carrier.POST: "https://postserv.post.gov.tw/pstmail/main_mail.html",
        Carrier.HCT: "https://www.hct.com.tw/Search/SearchGoods_n.aspx",
        Carrier.KERRY_TJ: "https://www.kerrytj.com/zh/checking",
        Carrier.SF_EXPRESS: "https://www.sf-express.com/tw/tc/dynamic_function/waybill/#search/bill-number/{number}",
    }
)
"""The page, with `{number}` last where its address takes the number; elsewhere the buyer types it. OTHER has none."""


def tracking_url(carrier: Carrier, number: str) -> str | None:
    """The address of the carrier's page; None where there is none, or where it needs a number that is not there yet."""
    page = TRACKING.get(carrier)
    if page is None or ("{number}" in page and not number):
        return None
    return page.replace("{number}", number)


def _sql() -> str:
    """The same of a shipment `sh`: a number holds letters, digits and hyphens alone, so it needs no escaping."""
    cases = []
    for carrier, page in TRACKING.items():
        before, place, after = page.partition("{number}")
        assert not after, "the number stands at the end"
        assert "'" not in page
        if place:
            cases.append(f"when sh.carrier = '{carrier.value}' and sh.tracking_number <> '' then '{before}' || sh.tracking_number")
        else:
            cases.append(f"when sh.carrier = '{carrier.value}' then '{page}'")
    return f"case {' '.join(cases)} end"


TRACKING_URL: Final = _sql()
