"""The filters of companies."""

from crm_core.filters import CompanyFilter
from crm_core.services import company_service
from ui.data import load
from ui.listing.filter_bar import FIELD_WIDTH, FilterBar


def show(bar: FilterBar) -> CompanyFilter:
    """The fields in a row; returns which companies they mean."""
    return bar.understood(
        CompanyFilter(
            text=bar.search("Name or domain"),
            owners=bar.owners(),
            industries=bar.words(
                "industry",
                "Industry",
                load(company_service.get_industries),
                "Every industry",
                width=FIELD_WIDTH,
            ),
            countries=bar.words(
                "country",
                "Country",
                load(company_service.get_countries),
                "Every country",
                width=FIELD_WIDTH,
            ),
        )
    )
