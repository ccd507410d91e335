"""The words of an alert about a member's sign-in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api.notifications.messages import PushText
from domain.members.rules import AlertKind
from domain.words import Pair, language_for, say

DEEP_LINK: Final = "plusone://security"
WORDS: Final[Mapping[AlertKind, tuple[Pair, Pair]]] = {
    AlertKind.REUSED: (
        ("有人使用了您的登入憑證", "Somebody else used your sign-in"),
        (
            "我們已將那台裝置登出。請開啟 App 查看登入紀錄；如果不是您本人，請登出所有裝置",
            "We signed that device out. Open the app to see where you are signed in; if it was not you, sign out everywhere",
        ),
    ),
    AlertKind.NEW_DEVICE: (
        ("您的帳號在新裝置登入", "Your account is signed in on a new device"),
        ("如果不是您本人，請開啟 App 將那台裝置登出", "If it was not you, open the app and sign that device out"),
    ),
}
"""Title and body."""


def alert_text(kind: AlertKind, locale: str) -> PushText:
    """The alert in the device's language, as for notices."""
    language = language_for(locale)
    title, body = (say(phrase, language) for phrase in WORDS[kind])
    return PushText(title, body, DEEP_LINK)
