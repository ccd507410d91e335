"""What Google says of a user of Firebase Authentication: disabled, deleted, or signed out of everything since.

firebase-admin asks, in threads of its own, since it blocks. Its own tries again are off: the person waits, and the app sends the same once more. It is loaded at
the first question. There is no variable that points it elsewhere but the emulator's, hence `_redirect`, which fails loudly if the library changes.

Sources: https://firebase.google.com/docs/auth/admin/manage-sessions, firebase-admin 7.7.0 as installed; read 2026-11-22.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from api.auth.identity.fetching import checked_address
from domain.errors import Unavailable
from domain.ids import new_id
from domain.members.errors import SignInRefused
from domain.providers.asking import TIMEOUT_SECONDS

log = logging.getLogger(__name__)

T = TypeVar("T")

GOOGLE: Final = "https://identitytoolkit.googleapis.com/v1"
AT_ONCE: Final = 4
"""Questions on their way; others wait for a thread, within the same time."""
EMULATOR: Final = "FIREBASE_AUTH_EMULATOR_HOST"


class FirebaseUsers:
    """The users of one Firebase project, as a service account may ask for them."""

    def __init__(
        self, project_id: str, account: Path, url: str = GOOGLE, *, development: bool = False, answer_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """The file is read for its shape only; the key in it is looked at by the first question.

        Raises:
            ValueError: it is no service account; the address must not be; or, unless in development, an emulator would answer instead of Google.
        """
        if not development and os.environ.get(EMULATOR):
            raise ValueError(f"{EMULATOR} is set: an emulator would be asked about users instead of Google. Unset it in production.")
        _check_shape(account)
        self._project_id, self._account = project_id, account
        self._url = checked_address(url, allow_loopback_http=development).rstrip("/")
        self._answer_seconds = answer_seconds
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="firebase-users")
        self._making = threading.Lock()
        self._client: Any = None

    async def check(self, uid: str, signed_in: int) -> None:
        """Go on when the user may still sign in by a sign-in of theirs at `signed_in` (Unix seconds).

        Raises:
            SignInRefused: the user is disabled or deleted, or what was given out up to a later time was revoked.
            Unavailable: Google does not answer in time, or not to us.
        """
        try:
            client = await self._in_thread(self._made)
            async with asyncio.timeout(self._answer_seconds):
                user = await self._in_thread(lambda: _user(client, uid))
        except Exception as error:
            # The text of an error names the user.
            log.error("Google did not say whether a user of Firebase may sign in: %s", _reason(error))
            raise Unavailable from None
        if user is None or user.disabled or signed_in * 1000 < user.tokens_valid_after_timestamp:
            raise SignInRefused

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _made(self) -> Any:
        with self._making:
            if self._client is None:
                self._client = self._make()
            return self._client

    def _make(self) -> Any:
        import firebase_admin
        from firebase_admin import auth, credentials

        options = {"projectId": self._project_id, "httpTimeout": self._answer_seconds}
        app = firebase_admin.initialize_app(credentials.Certificate(str(self._account)), options, name=f"plusone-{new_id()}")
        client = auth.Client(app)
        _redirect(client, self._url)
        return client


def _check_shape(account: Path) -> None:
    try:
        found = json.loads(account.read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"not a readable service account file ({type(error).__name__})") from None
    if not isinstance(found, dict) or found.get("type") != "service_account" or not found.get("private_key"):
        raise ValueError("not a service account file")


def _redirect(client: Any, url: str) -> None:
    """Ask this address, and once. These names are private: an update that moves them must fail here. An emulator of development stays."""
    users = client._user_manager
    session = users.http_client.session
    for scheme in ("http://", "https://"):
        assert scheme in session.adapters, "firebase-admin asks in another way now"
        session.mount(scheme, type(session.adapters[scheme])(max_retries=0))
    if not client.emulated:
        assert users.base_url.startswith(f"{GOOGLE}/projects/"), "firebase-admin has another address now"
        users.base_url = url + users.base_url.removeprefix(GOOGLE)


def _user(client: Any, uid: str) -> Any | None:
    """The user's record; None when there is none any more."""
    from firebase_admin import auth

    try:
        return client.get_user(uid)
    except auth.UserNotFoundError:
        return None


def _reason(error: Exception) -> str:
    """What went wrong, without what was asked."""
    status = getattr(getattr(error, "http_response", None), "status_code", "")
    return f"{type(error).__name__} {status}".strip()
