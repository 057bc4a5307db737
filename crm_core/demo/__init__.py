"""Demo data: two years of a made-up business, the same for the same seed."""

from crm_core.demo.loading import (
    DEFAULT_OPPORTUNITIES,
    DEFAULT_SEED,
    ChangedMeanwhile,
    DemoSummary,
    NotEmpty,
    fill,
)

__all__ = ["DEFAULT_OPPORTUNITIES", "DEFAULT_SEED", "ChangedMeanwhile", "DemoSummary", "NotEmpty", "fill"]
