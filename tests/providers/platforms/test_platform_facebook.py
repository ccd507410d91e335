"""Facebook: keys, lanes, authors and times, where the recorded payloads alone do not show them."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.claims.ports import EventKind, RawEvent, SocialEvent, SourcePlatform, TimeSource, Unreadable
from domain.providers.platforms import PLATFORMS
from domain.providers.platforms.wire import facebook_wire, utf8_wire

FIXTURES = Path(__file__).parents[2] / "fixtures"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PAGE, POST = "104561234567890", "104561234567890_122156789012345678"
COMMENT = "122156789012345678_1387412569043177"


def load(sample: str) -> Any:
    return json.loads((FIXTURES / f"{sample}.json").read_text("utf-8"))


def split(payload: Any) -> list[RawEvent]:
    return PLATFORMS["facebook"].split(utf8_wire(payload), received_at=NOW)


def the_event(payload: Any) -> RawEvent:
    (event,) = split(payload)
    return event


def read(payload: Any) -> SocialEvent:
    return PLATFORMS["facebook"].parse(the_event(payload).payload)


def comment(**changes: Any) -> dict[str, Any]:
    """The recorded Facebook comment with changed fields; None takes a field away."""
    payload: dict[str, Any] = load("facebook/feed_comment_add")
    value = payload["entry"][0]["changes"][0]["value"]
    value |= changes
    for field in [field for field, content in changes.items() if content is None]:
        del value[field]
    return payload


def test_keys_are_those_of_the_comment_and_the_act() -> None:
    sha_of_nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert the_event(comment()).external_key == f"{PAGE}:{COMMENT}"
    assert the_event(load("facebook/feed_comment_remove")).external_key == f"{PAGE}:{COMMENT}:remove:1795248130:{sha_of_nothing}"
    assert the_event(load("facebook/feed_comment_edited")).external_key.startswith(f"{PAGE}:{COMMENT}:edited:1795248012:4c256c49")
    assert the_event(load("facebook/messenger_text")).external_key == f"{PAGE}:m_AbC1dEf2GhI3jKl4MnO5pQ"


def test_redelivery_in_another_encoding_or_at_another_time_has_the_same_key() -> None:
    for sample in ("feed_comment_add", "feed_comment_edited", "feed_comment_remove", "feed_comment_hide_by_page", "feed_reaction_noise"):
        payload = load(f"facebook/{sample}")
        later = copy.deepcopy(payload)
        later["entry"][0]["time"] += 3_600
        first = PLATFORMS["facebook"].split(facebook_wire(payload), received_at=NOW)
        again = PLATFORMS["facebook"].split(utf8_wire(later), received_at=NOW + timedelta(hours=36))
        assert [event.external_key for event in first] == [event.external_key for event in again]


def test_acts_upon_one_comment_have_keys_of_their_own() -> None:
    acts = [
        comment(),
        comment(verb="edited", message="A +3"),
        comment(verb="edited", message="A +4"),
        comment(verb="edit", message="A +4"),
        comment(verb="hide", created_time=1795248140),
        comment(verb="unhide", created_time=1795248150),
        comment(verb="hide", created_time=1795248160),
        comment(verb="remove", created_time=1795248170),
        comment(comment_id=f"{COMMENT}0"),
    ]
    keys = [the_event(act).external_key for act in acts]
    assert len(set(keys)) == len(acts)


@pytest.mark.parametrize("elsewhere", [{"object": "instagram"}, {"field": "mention"}, {"verb": "mute"}])
def test_comment_told_of_elsewhere_does_not_take_the_key_of_the_comment(elsewhere: dict[str, str]) -> None:
    payload = comment(**{key: value for key, value in elsewhere.items() if key == "verb"})
    payload["object"] = elsewhere.get("object", "page")
    payload["entry"][0]["changes"][0]["field"] = elsewhere.get("field", "feed")
    assert read(payload).kind is EventKind.OTHER
    assert COMMENT not in the_event(payload).external_key


def test_lane_is_the_post() -> None:
    for payload in (comment(), comment(verb="remove", post=None), load("facebook/feed_reaction_noise"), load("facebook/feed_post_removed")):
        assert the_event(payload).lane == f"facebook:{PAGE}:{POST}"
    assert the_event(comment(post_id=None)).lane == f"facebook:{PAGE}:{POST}"


def test_events_of_two_pages_do_not_meet() -> None:
    lanes = [event.lane for event in split(load("facebook/batch_two_pages_mixed"))]
    assert lanes == [
        f"facebook:{PAGE}:{POST}",
        "facebook:103149398319188:103149398319188_244445617083583",
        f"facebook:103149398319188:{POST}",
    ]


def test_edit_is_dated_by_its_delivery_and_hide_by_itself() -> None:
    edit = read(load("facebook/feed_comment_edited"))
    hide = read(load("facebook/feed_comment_hide_by_page"))
    assert (edit.occurred_at, edit.time_source) == (datetime(2026, 11, 21, 8, 1, 36, tzinfo=UTC), TimeSource.DELIVERY)
    assert (hide.occurred_at, hide.time_source) == (datetime(2026, 11, 21, 8, 2, 20, tzinfo=UTC), TimeSource.PLATFORM)


@pytest.mark.parametrize("verb", ["edit", "edited", "remove", "hide", "unhide"])
def test_author_is_read_from_an_add_alone(verb: str) -> None:
    event = read(comment(verb=verb))
    assert (event.author_id, event.author_name) == ("", "")


def test_page_owns_what_it_writes_but_not_what_it_hides() -> None:
    by_page = {"from": {"id": PAGE, "name": "阿美團購"}}
    assert read(comment(**by_page)).is_owner
    assert read(comment(verb="edited", **by_page)).is_owner
    for verb in ("remove", "hide", "unhide"):
        assert not read(comment(verb=verb, **by_page)).is_owner


def test_mentions_count_code_points() -> None:
    tags = [{"id": "1", "name": "小明", "type": "user", "offset": 1, "length": 2}, {"offset": 90, "length": 2}, {"offset": "x"}, None]
    assert read(comment(message="🥭小明 +1", message_tags=tags)).mentions == ((1, 3),)
    assert read(comment(message="🥭小明 +1", message_tags={"1": tags})).mentions == ((1, 3),)
    assert read(comment(message="+1", message_tags=[])).mentions is None


@pytest.mark.parametrize(
    ("post", "source"),
    [
        ({"status_type": "added_video"}, SourcePlatform.FACEBOOK_LIVE),
        ({"permalink_url": "https://www.facebook.com/shop/videos/1/"}, SourcePlatform.FACEBOOK_LIVE),
        ({"permalink_url": "javascript:/videos/"}, SourcePlatform.FACEBOOK_PAGE),
        ({"status_type": "added_photos"}, SourcePlatform.FACEBOOK_PAGE),
        (None, SourcePlatform.FACEBOOK_PAGE),
    ],
)
def test_live_video_is_known_by_its_post(post: Any, source: SourcePlatform) -> None:
    assert read(comment(post=post)).source is source


def test_group_feed_is_read_in_both_of_its_places() -> None:
    in_messaging = load("facebook/group_feed_comment_add")
    value = in_messaging["entry"][0]["messaging"][0]
    in_changes = {"object": "page", "entry": [{"id": PAGE, "time": 1795248300, "changes": [{"field": "group_feed", "value": value}]}]}
    assert read(in_messaging) == read(in_changes)
    assert the_event(in_messaging).external_key == the_event(in_changes).external_key


def test_takes_the_documented_variants_of_the_envelope() -> None:
    change = comment()["entry"][0]["changes"][0]
    flat = {"object": "page", "entry": [{"id": PAGE, "time": 1795248013, **change}]}
    assert read(flat) == read([comment()]) == read(comment())


@pytest.mark.parametrize("changes", [{"comment_id": None}, {"post_id": None, "post": None}, {"message": 5}, {"comment_id": True}])
def test_comment_without_what_it_needs_is_unreadable_under_a_key_of_its_own(changes: dict[str, Any]) -> None:
    event = the_event(comment(**changes))
    assert event.external_key.startswith("unreadable:")
    with pytest.raises(Unreadable):
        PLATFORMS["facebook"].parse(event.payload)


def test_removal_needs_no_post() -> None:
    assert read(comment(verb="remove", post_id=None, post=None)).kind is EventKind.REMOVE
