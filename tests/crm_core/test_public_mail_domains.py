"""Addresses that anybody can have say nothing about a company."""

import pytest

from crm_core.public_mail_domains import DOMAINS, is_public_mail_domain
from crm_core.schemas.fields import host_of

PUBLIC = [
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.co.uk",
    "live.fr",
    "yahoo.co.jp",
    "icloud.com",
    "me.com",
    "proton.me",
    "protonmail.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "t-online.de",
    "mail.ru",
    "yandex.ru",
    "qq.com",
    "163.com",
    "126.com",
    "naver.com",
    "orange.fr",
    "free.fr",
    "libero.it",
    "comcast.net",
    "fastmail.com",
    "zoho.com",
    "tutanota.com",
    "hey.com",
    "aol.com",
    "bluewin.ch",
    "mailinator.com",
]

COMPANIES = [
    "acme.com",
    "siemens.com",
    "microsoft.com",
    "google.com",
    "apple.com",
    "ibm.com",
    "amazon.com",
    "facebook.com",
    "oracle.com",
    "sap.com",
    "orange.com",
    "telefonica.com",
    "vodafone.com",
    "bt.com",
    "att.com",
    "verizon.com",
    "yandex-team.ru",
    "telekom.de",
    "alibaba.com",
    "navercorp.com",
    "proton.ch",
    "about.com",
    "space.com",
    "brightpath.example",
]


@pytest.mark.parametrize("domain", PUBLIC)
def test_a_mail_service_is_no_company(domain):
    assert is_public_mail_domain(domain)


@pytest.mark.parametrize("domain", COMPANIES)
def test_a_company_is_no_mail_service(domain):
    assert not is_public_mail_domain(domain)


@pytest.mark.parametrize("domain", ["GMail.COM", "gmail.com.", " gmail.com "])
def test_a_domain_is_known_however_it_is_written(domain):
    assert is_public_mail_domain(domain)


@pytest.mark.parametrize("domain", ["", ".", "com", "corp.gmail.com", "notgmail.com", "gmail.com.acme.com"])
def test_only_the_very_domain_counts(domain):
    assert not is_public_mail_domain(domain)


def test_the_list_is_sorted_and_holds_nothing_but_domains():
    domains = DOMAINS.read_text().splitlines()

    assert domains == sorted(set(domains))
    assert domains == [host_of(domain) for domain in domains]
