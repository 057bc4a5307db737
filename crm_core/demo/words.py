"""Words that the made-up companies, people and deals are named and described with."""

from typing import NamedTuple


class Industry(NamedTuple):
    """What companies of an industry are called, what we sell to them, and what a usual deal is worth."""

    nouns: tuple[str, ...]
    offers: tuple[str, ...]
    usual_value: int


INDUSTRIES = {
    "Transport and logistics": Industry(
        ("Freight", "Logistics", "Haulage", "Shipping", "Cargo", "Couriers", "Distribution"),
        (
            "fleet tracking rollout",
            "route planning",
            "driver app licenses",
            "warehouse scanning",
            "customs paperwork automation",
            "cold chain monitoring",
            "dock scheduling",
        ),
        21_000,
    ),
    "Manufacturing": Industry(
        ("Tooling", "Castings", "Components", "Fabrication", "Plastics", "Bearings", "Machine Works"),
        (
            "shop floor terminals",
            "maintenance planning",
            "quality records",
            "spare parts portal",
            "energy metering",
            "production scheduling",
            "supplier portal",
        ),
        26_000,
    ),
    "Retail": Industry(
        ("Outfitters", "Stores", "Home Goods", "Markets", "Sports", "Garden Centers", "Books"),
        (
            "checkout replacement",
            "loyalty program",
            "stock counting handhelds",
            "click and collect",
            "electronic shelf labels",
            "store traffic reports",
            "gift cards",
        ),
        11_000,
    ),
    "Healthcare": Industry(
        ("Clinics", "Dental", "Home Care", "Diagnostics", "Physiotherapy", "Pharmacy", "Eye Care"),
        (
            "appointment reminders",
            "patient portal",
            "shift planning",
            "records archive",
            "lab results interface",
            "video visits",
            "intake forms",
        ),
        18_000,
    ),
    "Construction": Industry(
        ("Builders", "Roofing", "Concrete", "Interiors", "Civil Works", "Scaffolding", "Paving"),
        (
            "site time sheets",
            "drawing management",
            "tool tracking",
            "subcontractor portal",
            "safety inspections",
            "bid management",
            "punch list app",
        ),
        14_000,
    ),
    "Energy and utilities": Industry(
        ("Solar", "Power", "Renewables", "Utilities", "Wind", "Heating", "Water"),
        (
            "meter data platform",
            "field crew scheduling",
            "outage alerts",
            "asset register",
            "charging network billing",
            "customer self-service",
            "leak detection",
        ),
        38_000,
    ),
    "Financial services": Industry(
        ("Capital", "Insurance", "Credit Union", "Advisors", "Leasing", "Savings", "Title"),
        (
            "document signing",
            "client onboarding",
            "claims intake",
            "audit trail",
            "branch kiosks",
            "fraud alerts",
            "statement archive",
        ),
        32_000,
    ),
    "Hospitality": Industry(
        ("Hotels", "Resorts", "Catering", "Restaurants", "Brewing", "Events", "Inns"),
        (
            "booking engine",
            "table ordering",
            "housekeeping app",
            "guest Wi-Fi",
            "event ticketing",
            "kitchen displays",
            "staff scheduling",
        ),
        8_500,
    ),
    "Education": Industry(
        ("Academy", "College", "Schools", "Training", "Learning", "Institute", "Tutoring"),
        (
            "timetable planning",
            "learning portal",
            "admissions",
            "campus access cards",
            "exam room booking",
            "alumni directory",
            "parent messages",
        ),
        12_000,
    ),
    "Professional services": Industry(
        ("Consulting", "Software", "Analytics", "Systems", "Design Studio", "Legal", "Engineering"),
        (
            "support desk",
            "time tracking",
            "data warehouse",
            "single sign-on",
            "reporting package",
            "contract management",
            "resource planning",
        ),
        16_000,
    ),
}

SCOPES = (
    "pilot",
    "phase two",
    "renewal",
    "expansion",
    "head office",
    "three sites",
    "all branches",
    "40 seats",
    "120 seats",
    "two-year plan",
)

_STEMS = """
Amber Arbor Aspen Bayside Birchwood Blackstone Bluewater Brightwell Brookfield Canyon Cascade Cedar
Clearwater Cobalt Copperfield Cornerstone Crestline Crosswind Dovetail Eastgate Elmwood Evergreen Fairview
Falcon Fieldstone Firefly Foxglove Glacier Goldleaf Granite Greenfield Hawthorn Hazel Heron Highland
Hillcrest Ironwood Ivory Juniper Kestrel Keystone Lakeshore Lantern Larkspur Laurel Linden Lodestar Longview
Maple Meadow Meridian Millbrook Monarch Moonstone Northfield Oakridge Opal Orchard Osprey Palisade Pinecrest
Plainview Prairie Quarry Quill Redwood Ridgeway Riverbend Rosewood Saffron Sandstone Seabright Sequoia
Silverline Skylark Springhill Starling Stonebridge Summit Sunfield Sycamore Tallgrass Tamarack Thistle
Timberline Trailhead Valley Vantage Verdant Waypoint Westbrook Whitecap Wildrose Willow Windmill Winterbrook
Woodland Yarrow Zephyr
"""
STEMS = tuple(_STEMS.split())

COUNTRIES = ("United States",) * 16 + ("Canada", "Canada", "United Kingdom", "Ireland", "Australia")

LEAD_SOURCES = ("Website", "Referral", "Trade show", "Webinar", "Outbound", "Partner")

JOB_TITLES = (
    "Owner",
    "Managing director",
    "Head of operations",
    "Operations manager",
    "Purchasing manager",
    "IT manager",
    "Chief financial officer",
    "Head of finance",
    "Project manager",
    "Office manager",
    "Plant manager",
    "Head of customer service",
)

NEXT_STEPS = (
    "Call to agree on the scope",
    "Send the revised quote",
    "Demo for the operations team",
    "Meet the finance lead",
    "Send two customer references",
    "Answer the security questionnaire",
    "Visit the site",
    "Go through the contract with legal",
    "Confirm the budget for next quarter",
    "Follow up on the proposal",
    "Plan the pilot with the project lead",
    "Agree on a start date",
)

NOTES = (
    "Good call. They want to start small and grow from there.",
    "Budget is approved, but the start has to fit their busy season.",
    "Spoke with the operations lead: today they do all of this in spreadsheets.",
    "They compare us with one other supplier. Price is not the main point.",
    "Decision is made by three people; we have met two of them.",
    "Asked for a reference from the same industry.",
    "Left a message. Try again next week in the morning.",
    "Demo went well. Open question: import of their old data.",
    "Procurement needs our standard terms before the next meeting.",
    "They were bought last year, so head office has to agree.",
    "Happy with the pilot so far. Two small wishes noted.",
    "Contact is away until the end of the month.",
)

DESCRIPTIONS = (
    "Replaces paper forms and two spreadsheets.",
    "Current contract with another supplier ends this year.",
    "Came up during the yearly review.",
    "Wants one system for all locations.",
    "Started from a question to our support.",
)

LOST_BECAUSE_OTHER = (
    "The project was folded into a larger one at their parent company.",
    "Our contact left and the new lead builds it in-house.",
    "They closed the site that it was meant for.",
    "A merger stopped all new purchases.",
)

WON_BECAUSE_OTHER = (
    "Their auditor recommended us.",
    "A sister company already works with us.",
    "We were the only one to offer a pilot.",
)

LOST_REASON_WEIGHTS = {
    "Price": 22,
    "Competitor": 18,
    "No budget": 14,
    "No decision": 15,
    "Missing feature": 8,
    "Bad timing": 9,
    "Unresponsive": 8,
    "Poor fit": 6,
    "Duplicate or test": 2,
    "Other": 4,
}

TEAM_NAMES = ("East", "Central", "West")
