"""The three companies and what sets them apart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

FIRST_DAY = date(2026, 8, 3)
LAST_DAY = date(2026, 10, 31)


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoCampaign:
    """A campaign that runs from `first_day` to `last_day` (inclusive); money in the tenant's currency."""

    id: str
    source: str
    leads_a_day: float
    spend_a_day: float
    mean_revenue: float
    conversion: float = 1.0
    first_day: date = FIRST_DAY
    last_day: date = LAST_DAY


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomEvents:
    """Events of the tenant's own making: a word and a number each."""

    event_type: str
    word: str
    words: tuple[str, ...]
    number: str
    highest: int
    an_agent_day: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoTenant:
    """A company. `week` and `hours` are relative volumes, from Monday and from midnight; `calls` a full day's, leads' aside."""

    id: str
    name: str
    timezone: str
    currency: str
    seed: int
    agents: tuple[str, ...]
    newcomers: tuple[tuple[str, date], ...]
    calls: int
    call_length: float
    inbound: float
    dials_a_lead: int
    week: tuple[float, ...]
    hours: tuple[float, ...]
    growth: float
    topics: tuple[str, ...]
    campaigns: tuple[DemoCampaign, ...]
    custom: tuple[CustomEvents, ...]
    holidays: tuple[date, ...] = ()
    bad_week: tuple[date, date] | None = None


_OFFICE = (0, 0, 0, 0, 0, 0, 0, 0.3, 1.4, 1.9, 2.0, 1.7, 0.8, 1.1, 1.7, 1.6, 1.3, 0.7, 0.2, 0, 0, 0, 0, 0)
_ROUND_THE_CLOCK = (
    *(0.32, 0.26, 0.3, 0.24, 0.22, 0.24, 0.36, 0.9, 1.7, 2.1, 2.2, 1.8),
    *(0.9, 1.2, 1.8, 1.7, 1.5, 1.3, 0.9, 0.6, 0.4, 0.3, 0.2, 0.1),
)
_SHOP = (0, 0, 0, 0, 0, 0, 0, 0.1, 0.8, 1.4, 1.6, 1.5, 1.0, 1.2, 1.3, 1.4, 1.6, 1.8, 1.3, 0.7, 0.3, 0, 0, 0)

TENANTS = (
    DemoTenant(
        id="northwind_support",
        name="Northwind Support",
        timezone="Europe/Zurich",
        currency="CHF",
        seed=20_260_803,
        agents=(
            *("Anna Keller", "Luca Bernasconi", "Zoë Brönnimann", "Milan Petrović", "Nadia Ben Salah", "Jürg Wüthrich"),
            *("Chiara Rossi", "Tenzin Lhamo", "Siobhán O'Neill", "Tomás Ferreira", "Selin Yılmaz", "Beat Gerber"),
            *("Aïcha Diallo", "Noah Zürcher", "Ivana Horvat", "Kofi Mensah", "Elodie Favre", "Marco Hunziker"),
        ),
        newcomers=(
            ("Priya Raman", date(2026, 8, 17)),
            ("Łukasz Wójcik", date(2026, 8, 17)),
            ("Mei-Ling Chen", date(2026, 9, 7)),
            ("Jonas D'Angelo", date(2026, 10, 5)),
        ),
        calls=1180,
        call_length=1.1,
        inbound=0.93,
        dials_a_lead=2,
        week=(1.15, 1.02, 1.0, 0.97, 0.92, 0.42, 0.2),
        hours=_ROUND_THE_CLOCK,
        growth=0.08,
        topics=("Billing", "Outage", "Technical support", "Contract", "Device", "Moving home"),
        campaigns=(
            DemoCampaign(id="fibre_upgrade", source="hotline", leads_a_day=9, spend_a_day=210, mean_revenue=640),
            DemoCampaign(id="win_back", source="mail", leads_a_day=7, spend_a_day=520, mean_revenue=310, conversion=0.45),
        ),
        custom=(
            CustomEvents(
                event_type="knowledge.article_viewed",
                word="article",
                words=("Reset the router", "Read your bill", "Cancel a contract", "Port a number"),
                number="seconds",
                highest=240,
                an_agent_day=10,
            ),
            CustomEvents(
                event_type="call.transferred",
                word="to_team",
                words=("billing", "network", "retention"),
                number="hold_seconds",
                highest=180,
                an_agent_day=3,
            ),
        ),
        bad_week=(date(2026, 9, 14), date(2026, 9, 20)),
    ),
    DemoTenant(
        id="brightline_sales",
        name="Brightline Sales",
        timezone="America/New_York",
        currency="USD",
        seed=20_260_907,
        agents=(
            *("Marcus Johnson", "Emily Nguyen", "DeShawn Carter", "Rachel Goldberg", "José Hernández", "Aaliyah Brooks"),
            *("Smith, Robert Jr.", "Fatima Al-Sayed", "Kevin O'Brien", "Olivia Kowalski"),
        ),
        newcomers=(
            ("Hiroshi Tanaka", date(2026, 8, 10)),
            ("Grace Okafor", date(2026, 9, 8)),
            ("Tyler Beaumont", date(2026, 9, 21)),
        ),
        calls=290,
        call_length=0.8,
        inbound=0.06,
        dials_a_lead=6,
        week=(0.95, 1.1, 1.1, 1.05, 0.85, 0.1, 0),
        hours=_OFFICE,
        growth=0.2,
        topics=("Introduction", "Demo", "Pricing", "Follow-up", "Renewal"),
        campaigns=(
            DemoCampaign(
                id="webinar_autumn", source="webinar", leads_a_day=28, spend_a_day=900, mean_revenue=1450, conversion=1.2
            ),
            DemoCampaign(
                id="partner_referrals", source="partner", leads_a_day=14, spend_a_day=250, mean_revenue=2100, conversion=1.5
            ),
            DemoCampaign(id="search_ads", source="search", leads_a_day=46, spend_a_day=3600, mean_revenue=900, conversion=0.9),
            DemoCampaign(
                id="trade_fair_chicago",
                source="event",
                leads_a_day=30,
                spend_a_day=9800,
                mean_revenue=1300,
                conversion=0.5,
                first_day=date(2026, 9, 22),
                last_day=date(2026, 10, 2),
            ),
        ),
        custom=(
            CustomEvents(
                event_type="demo.booked",
                word="product",
                words=("Starter", "Team", "Enterprise"),
                number="seats",
                highest=250,
                an_agent_day=1,
            ),
            CustomEvents(
                event_type="script.variant_used",
                word="variant",
                words=("A", "B", 'C "short"'),
                number="score",
                highest=100,
                an_agent_day=8,
            ),
        ),
        holidays=(date(2026, 9, 7),),
    ),
    DemoTenant(
        id="sunrise_retail",
        name="Sunrise Retail",
        timezone="Australia/Sydney",
        currency="AUD",
        seed=20_261_004,
        agents=(
            *("Charlotte Nguyen", "Liam Papadopoulos", "Aroha Ngata", "Arjun Iyer", "Isla MacLeod", "Mateo Vargas"),
            *("Sina Fa'asavalu", "Hannah Fitzgerald", "Tariq Aziz", "Ngozi Eze"),
        ),
        newcomers=(("Wei Zhang", date(2026, 8, 24)), ("Bronwyn D'Arcy", date(2026, 9, 28))),
        calls=300,
        call_length=0.95,
        inbound=0.7,
        dials_a_lead=3,
        week=(1.0, 0.95, 0.95, 1.05, 1.15, 0.8, 0.45),
        hours=_SHOP,
        growth=0.25,
        topics=("Order status", "Returns", "Product advice", "Store hours", "Loyalty card"),
        campaigns=(
            DemoCampaign(
                id="spring_sale", source="social", leads_a_day=30, spend_a_day=430, mean_revenue=210, first_day=date(2026, 9, 1)
            ),
            DemoCampaign(id="loyalty_club", source="store", leads_a_day=16, spend_a_day=90, mean_revenue=160, conversion=1.4),
            DemoCampaign(id="influencer_push", source="video", leads_a_day=22, spend_a_day=1300, mean_revenue=95, conversion=0.6),
        ),
        custom=(
            CustomEvents(
                event_type="refund.issued",
                word="reason",
                words=("damaged", "wrong size", "late"),
                number="amount",
                highest=180,
                an_agent_day=4,
            ),
            CustomEvents(
                event_type="store.visit_booked",
                word="store",
                words=("Parramatta", "Bondi Junction", "Newcastle"),
                number="guests",
                highest=4,
                an_agent_day=3,
            ),
        ),
        holidays=(date(2026, 10, 5),),
    ),
)
