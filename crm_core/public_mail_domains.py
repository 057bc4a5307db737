"""Mail domains that anybody can have an address in: they say nothing about the company somebody works for.

Kept as a list of our own, one domain a line: freemail services, internet providers' mail for their customers,
forwarding and throwaway addresses. A provider whose own staff writes from the same domain counts as public.
"""

from functools import cache
from pathlib import Path

DOMAINS = Path(__file__).with_suffix(".txt")


def is_public_mail_domain(domain: str) -> bool:
    """Whether people of no particular company have addresses in this very domain, in whatever case."""
    return domain.strip().removesuffix(".").lower() in _public_mail_domains()


@cache
def _public_mail_domains() -> frozenset[str]:
    return frozenset(DOMAINS.read_text(encoding="utf-8").split())
