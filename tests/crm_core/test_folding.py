"""What is the same text, and what is not."""

import sys
import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crm_core.folding import LONGEST, fold

EVERY_CHARACTER = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
TEXTS = st.text(max_size=12) | st.text(st.characters(max_codepoint=0x2200), max_size=12)

SAME = [
    ("Müller GmbH", "MULLER  gmbh", "Mu\u0308ller GmbH", " müller\u00a0gmbh\t"),
    ("Straße & Söhne", "STRASSE & SÖHNE", "STRAẞE & SOHNE", "strasse & sohne"),
    ("İstanbul", "istanbul", "ISTANBUL", "ıstanbul", "I\u0307stanbul"),
    ("Łódź", "lodz", "ŁÓDŹ", "Lodz"),
    ("Ærø Smørrebrød", "aero smorrebrod", "ÆRØ SMØRREBRØD"),
    ("Þór Guðmundsson", "THOR GUDMUNDSSON"),
    ("Œuvre", "oeuvre"),
    ("Đặng Văn", "dang van"),
    ("O’Brien", "O'Brien", "OʼBRIEN", "O`Brien", "O´Brien", "O＇Brien"),
    ("Coca–Cola", "coca-cola", "Coca\u2011Cola", "COCA−COLA", "Coca\u00ad-Cola"),
    ("“Acme” AG", '"acme" ag', "«Acme» AG", "„Acme“ AG"),
    ("ΆΛΦΑ Σ", "αλφα ς", "άλφα σ"),
    ("Acme", "Ac\u200bme", "\ufeffAcme", "Ac\u2060me", "Ac\u00adme", "\u202aAcme\u202c"),
    ("ＡＣＭＥ　２４", "acme 24"),
    ("ﬁne", "FINE"),
    ("ｶﾞﾗｽ", "ガラス", "ガラス", "カ\u3099ラス"),
    ("Й", "й", "И\u0306"),
    ("№ 5", "No 5"),
    ("شركة ٢٤", "شركة 24", "شركة ۲۴"),
    ("कंपनी २४", "कंपनी 24"),
]

ANOTHER = [
    ("か", "が"),
    ("й", "и"),
    ("ё", "е"),
    ("कि", "क"),
    ("دَ", "د"),
    ("a", "b"),
    ("Acme AG", "AcmeAG"),
    ("a-b", "a b"),
    ("a_b", "a-b"),
    ("Müller", "Mueller"),
    ("Ω", "ω\u0431"),
]


@pytest.mark.parametrize("texts", SAME)
def test_these_are_the_same(texts):
    assert len({fold(text) for text in texts}) == 1, [ascii(fold(text)) for text in texts]


@pytest.mark.parametrize(("one", "other"), ANOTHER)
def test_these_are_not(one, other):
    assert fold(one) != fold(other)


def test_every_character_folds_to_what_folds_to_itself_in_any_form_and_case():
    """By itself, and between letters."""
    for character in EVERY_CHARACTER:
        for text in (character, f"a{character}b"):
            folded = fold(text)
            varied = (folded, text.upper(), text.lower(), nfc(text), nfd(text))
            assert {fold(each) for each in varied} == {folded}, ascii(text)


@given(TEXTS)
def test_a_text_folds_alike_in_every_form_and_case(text):
    assume("\u0345" not in nfd(text))  # an iota below, which in capitals is a letter behind the others
    for varied in (fold(text), text.upper(), text.lower(), text.casefold(), nfc(text), nfd(text)):
        assert fold(varied) == fold(text), ascii(varied)


@given(TEXTS, st.sampled_from(["\u200b", "\ufeff", "\u00ad", "\u2060", "\ufe0f"]), st.integers(0, 12))
def test_what_nobody_sees_makes_no_difference(text, unseen, place):
    """Except that marks go on to the letter before them without it, so it stands where none follows."""
    assume(not unicodedata.combining(text[place : place + 1] or "x"))
    assert fold(text[:place] + unseen + text[place:]) == fold(text)


def test_the_longest_fits_into_every_index():
    for text in ("\ufdfa" * 200, "\U0001f468" * 700, "a " * 700):
        folded = fold(text)
        assert len(folded) <= LONGEST
        assert len(folded.encode()) < 2_700  # a third of one of PostgreSQL's pages
        assert fold(folded) == folded


def nfc(text):
    return unicodedata.normalize("NFC", text)


def nfd(text):
    return unicodedata.normalize("NFD", text)
