"""What there is to choose from: currencies, languages, time zones, months, people, each by its label."""

from datetime import date
from functools import cache
from typing import Any

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.languages import get_official_languages
from babel.numbers import get_currency_name, get_territory_currencies

from crm_core.phones import COUNTRIES
from crm_core.schemas.settings import time_zones
from crm_core.services import user_service
from crm_core.services.user_service import UserRow
from ui import words
from ui.data import load

SCREENS = "en"
"""The language of the screens."""

COUNTRY_CODE = 2
"""Letters; what is longer is a part of the world."""

OLD_NAMES = ("Etc/", "US/", "SystemV/", "posix/", "right/", "Brazil/", "Canada/", "Chile/", "Mexico/")
"""What stands before time zones that are there under a better name."""


@cache
def currencies() -> dict[str, str]:
    """The money that is used somewhere today."""
    used = {code for territory in _countries() for code in get_territory_currencies(territory)}
    return {code: currency(code) for code in sorted(used)}


def currency(code: str) -> str:
    """“EUR – Euro”."""
    return f"{code} – {get_currency_name(code, locale=SCREENS)}"


@cache
def locales() -> dict[str, str]:
    """The official languages of every country and its English, by the name that they call themselves."""
    found = {
        _normal(f"{language}_{territory}")
        for territory in _countries()
        for language in (*get_official_languages(territory, de_facto=True), SCREENS)
    }
    told = {name: locale(name) for name in found if name}
    return dict(sorted(told.items(), key=lambda item: item[1].casefold()))


def locale(name: str) -> str:
    """“Deutsch (Schweiz) · de_CH”."""
    parsed = Locale.parse(name)
    words: Any = Locale(parsed.language, script=parsed.script)  # a country's own would take long to load
    language = words.languages.get(parsed.language, parsed.language)
    where = [words.scripts.get(parsed.script), words.territories.get(parsed.territory)]
    told = ", ".join(filter(None, where))
    return f"{language} ({told}) · {name}" if told else f"{language} · {name}"


@cache
def phone_countries() -> dict[str, str]:
    """Countries by their names."""
    return dict(sorted(((code, country(code)) for code in COUNTRIES), key=lambda item: item[1].casefold()))


def country(code: str) -> str:
    """“Switzerland”."""
    name: str = Locale(SCREENS).territories.get(code, code)
    return name


@cache
def zones() -> dict[str, str]:
    """Time zones by the name of a city, and UTC."""
    return {name: zone(name) for name in sorted(time_zones()) if _is_of_a_place(name)}


def zone(name: str) -> str:
    """“America/New York”."""
    return name.replace("_", " ")


@cache
def months() -> dict[int, str]:
    """The months by their names."""
    return {number: month(number) for number in range(1, 13)}


def month(number: int, pattern: str = "LLLL") -> str:
    """“April”, or “Apr” by the pattern “LLL”."""
    return format_date(date(2000, number, 1), pattern, locale=SCREENS)


def people() -> dict[int, str]:
    """Everybody by name, namesakes with their address or number."""
    found: list[UserRow] = load(user_service.get_users)
    names = [words.one_line(person.name) for person in found]
    return {
        person.id: name if names.count(name) == 1 else f"{name} ({person.email or person.id})"
        for person, name in zip(found, names, strict=True)
    }


def _is_of_a_place(name: str) -> bool:
    return name == "UTC" or ("/" in name and not name.startswith(OLD_NAMES))


def _countries() -> list[str]:
    return [code for code in map(str, Locale(SCREENS).territories) if len(code) == COUNTRY_CODE]


def _normal(name: str) -> str | None:
    """The locale as the settings keep it, if it is known."""
    try:
        found = Locale.parse(name)
    except (ValueError, UnknownLocaleError):
        return None
    return str(found) if found.territory else None
