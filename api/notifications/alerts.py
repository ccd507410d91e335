"""The words of an alert about a member's sign-in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api.notifications.messages import PushText
from domain.members.rules import AlertKind

DEEP_LINK: Final = "plusone://security"
ZH: Final[Mapping[AlertKind, tuple[str, str]]] = {
    AlertKind.REUSED: ("有人使用了您的登入憑證", "我們已將那台裝置登出。請開啟 App 查看登入紀錄；如果不是您本人，請登出所有裝置"),
    AlertKind.NEW_DEVICE: ("您的帳號在新裝置登入", "如果不是您本人，請開啟 App 將那台裝置登出"),
}
EN: Final[Mapping[AlertKind, tuple[str, str]]] = {
    AlertKind.REUSED: (
        "Somebody else used your sign-in",
        "We signed that device out. Open the app to see where you are signed in; if it was not you, sign out everywhere",
    ),
    AlertKind.NEW_DEVICE: ("Your account is signed in on a new device", "If it was not you, open the app and sign that device out"),
}


def alert_text(kind: AlertKind, locale: str) -> PushText:
    """Chinese for zh and for no language at all, English for every other one, as for notices."""
    title, body = (ZH if locale.lower().startswith("zh") or not locale else EN)[kind]
    return PushText(title, body, DEEP_LINK)
