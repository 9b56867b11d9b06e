"""Routes of a person's inbox, and of what they want brought to them."""

from __future__ import annotations

from chalicelib.kernel import context
from chalicelib.kernel.errors import ConcurrentUpdate, NotFound
from chalicelib.notifications import service
from chalicelib.notifications.schemas import (
    ChoosePreferences,
    EntryView,
    InboxQuery,
    InboxView,
    PreferencesView,
    ReadAll,
    UnreadView,
)
from chalicelib.runtime import cursors
from chalicelib.runtime.cursors import BadCursor
from chalicelib.runtime.http.access import Access, Caller
from chalicelib.runtime.http.routes import Routes

routes = Routes("notifications")


@routes.route("GET", "/v1/me/inbox", access=Access.SIGNED_IN, query=InboxQuery, returns=InboxView, raises=(BadCursor,))
def list_inbox(query: InboxQuery, caller: Caller) -> InboxView:
    """Read what the caller was told, newest first, in their language."""
    scope = f"inbox#{caller.account_id}"
    page = service.inbox(caller.account_id, cursors.window(query.limit, query.cursor, query=scope))
    language = context.current().language
    words = [service.shown(entry, language) for entry in page.items]
    return InboxView(
        items=[EntryView.of(one) for one in words if one is not None],
        next_cursor=cursors.seal(page.after, query=scope),
    )


@routes.route("GET", "/v1/me/inbox/unread", access=Access.SIGNED_IN, returns=UnreadView)
def count_unread(caller: Caller) -> UnreadView:
    """See how many of the newest messages were not read."""
    return UnreadView(unread=service.unread(caller.account_id), counted=service.MOST_COUNTED)


@routes.route(
    "PUT",
    "/v1/me/inbox/{message_id}/read",
    access=Access.SIGNED_IN,
    returns=EntryView,
    raises=(NotFound, ConcurrentUpdate),
)
def read_message(message_id: str, caller: Caller) -> EntryView:
    """Note that a message was read."""
    found = service.shown(service.read_one(caller.account_id, message_id), context.current().language)
    if found is None:
        raise NotFound(what="message")
    return EntryView.of(found)


@routes.route(
    "PUT", "/v1/me/inbox/read", access=Access.SIGNED_IN, body=ReadAll, returns=UnreadView, raises=(ConcurrentUpdate,)
)
def read_all_messages(body: ReadAll, caller: Caller) -> UnreadView:
    """Note that everything up to a moment was read; what came later stays unread."""
    service.read_all(caller.account_id, body.until)
    return UnreadView(unread=service.unread(caller.account_id), counted=service.MOST_COUNTED)


@routes.route("GET", "/v1/me/inbox/preferences", access=Access.SIGNED_IN, returns=PreferencesView)
def get_message_preferences(caller: Caller) -> PreferencesView:
    """See what is brought to the caller, by which channel, and at which hours nothing is."""
    return PreferencesView.of(service.preferences(caller.account_id), context.current().language)


@routes.route(
    "PUT",
    "/v1/me/inbox/preferences",
    access=Access.SIGNED_IN,
    body=ChoosePreferences,
    returns=PreferencesView,
    raises=(service.AlwaysTold, ConcurrentUpdate),
)
def choose_message_preferences(body: ChoosePreferences, caller: Caller) -> PreferencesView:
    """Say what is to be brought, whole: what is not named as off is."""
    off = [(choice.topic, choice.channel) for choice in body.off]
    quiet = body.quiet_hours.quiet() if body.quiet_hours else None
    return PreferencesView.of(service.choose(caller.account_id, off, quiet), context.current().language)
