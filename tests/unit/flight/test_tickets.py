"""Whose tickets are taken."""

from dataclasses import replace

import pytest

from query_service.flight.refusals import NoTicket
from query_service.flight.tickets import TicketOffice
from query_service.reader import Reader

SHOP = Reader(("shop",), "read", may_see_people=False, subject="key:aaaaaaaa")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def office(clock: Clock) -> TicketOffice:
    return TicketOffice(b"k" * 32, clock)


def test_a_ticket_comes_back_as_it_was_issued(office: TicketOffice) -> None:
    ticket = office.take("ticket", office.issue("ticket", "select 'ü'", SHOP, 60, ["x", 1, None]), SHOP)
    assert (ticket.sql, ticket.values, ticket.app_ids) == ("select 'ü'", ["x", 1, None], ("shop",))


def test_replicas_with_the_same_secret_take_each_others_tickets(office: TicketOffice, clock: Clock) -> None:
    text = TicketOffice(b"k" * 32, clock).issue("ticket", "select 1", SHOP, 60)
    assert office.take("ticket", text, SHOP).sql == "select 1"


def test_a_ticket_ends_with_its_time(office: TicketOffice, clock: Clock) -> None:
    text = office.issue("ticket", "select 1", SHOP, 60)
    clock.now += 60
    with pytest.raises(NoTicket):
        office.take("ticket", text, SHOP)


@pytest.mark.parametrize(
    "other",
    [
        replace(SHOP, subject="key:bbbbbbbb"),
        replace(SHOP, app_ids=("shop", "blog")),
        replace(SHOP, app_ids=()),
        Reader(("rival",), "admin", may_see_people=True, subject="key:cccccccc"),
    ],
)
def test_a_ticket_is_good_for_the_credential_and_apps_that_it_was_issued_to(
    office: TicketOffice, other: Reader
) -> None:
    with pytest.raises(NoTicket):
        office.take("ticket", office.issue("ticket", "select 1", SHOP, 60), other)


def test_a_handle_is_no_ticket(office: TicketOffice) -> None:
    with pytest.raises(NoTicket):
        office.take("ticket", office.issue("prepared", "select 1", SHOP, 60), SHOP)


def test_a_forged_ticket_is_refused_whichever_byte_was_changed(office: TicketOffice, clock: Clock) -> None:
    text = office.issue("ticket", "select 1", SHOP, 60)
    forged = [text[:at] + bytes([text[at] ^ 1]) + text[at + 1 :] for at in range(len(text))]
    foreign = TicketOffice(b"x" * 32, clock).issue("ticket", "select 1", SHOP, 60)
    for each in [*forged, foreign, text[:-1], text + b"0", b"", b"em1:", b"select 1"]:
        with pytest.raises(NoTicket):
            office.take("ticket", each, SHOP)
