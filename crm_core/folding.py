"""When two texts are the same, no matter who typed them on which keyboard.

Search, duplicate hints, imports, conversions, merges and sorted lists all compare what `fold` makes of a
text. It is stored beside the text (see `crm_core.compared_texts`), so that both databases only have to
compare bytes.
"""

import re
import unicodedata
from functools import cache, lru_cache

INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""What shows nothing and takes no place: Unicode's Default_Ignorable_Code_Point, besides the blank Braille
pattern and the marks of annotations.
"""

DIGIT = re.compile(r"\d")
"""A decimal digit of any script."""

CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
"""Control characters that are no white space."""

ONE_OF_MANY = str.maketrans(
    dict.fromkeys("`´\u1ffd‘’‚‛′ʹʻʼʽˈꞌ＇", "'")
    | dict.fromkeys("“”„‟″«»＂", '"')
    | dict.fromkeys("‐‑‒–—―⁃−﹘﹣－", "-")
)
"""Apostrophes, quotation marks and dashes, which keyboards and programs choose among."""

WITHOUT_A_MARK = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th", "ŋ": "ng"}
    | dict(zip("øłđðħŧıĸƀɇǥɨɉɍʉɏƶƚ", "olddhtikbegijruyzl", strict=True))
)
"""Latin letters that people write by others where their keyboard lacks them; Unicode takes none apart."""

LONGEST = 600
"""Characters of a fold: more than any name has, few enough for every index. One sign can become eighteen."""

REMEMBERED = 20_000
"""Texts whose fold is remembered, unless they are longer than one: versions share most of theirs."""


def fold(text: str) -> str:
    """The text without what people vary: case, accents, look-alike signs, blanks, and what can't be seen.

    Compatibility forms become the usual ones (NFKC), letters get lower case for every script (Unicode case
    folding), and Latin and Greek ones lose their marks; those of other scripts, which make another letter of
    one (が, й), stay. Digits of every script are 0 to 9, apostrophes, quotation marks and dashes one of each,
    white space is one blank, and none at the ends. Folding twice changes nothing more; two texts that
    are the same in Unicode's sense (NFC, NFD) fold alike.
    """
    return _remembered(text) if len(text) <= LONGEST else _folded(text)


def _folded(text: str) -> str:
    if not text.isascii():
        text = _folded_beyond_ascii(text)
    folded = " ".join(CONTROLS.sub("", text.lower().replace("`", "'")).split())
    return folded if len(folded) <= LONGEST else folded[:LONGEST].rstrip()


_remembered = lru_cache(REMEMBERED)(_folded)


def _folded_beyond_ascii(text: str) -> str:
    seen = INVISIBLE.sub("", text).translate(ONE_OF_MANY)
    cased = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", seen).casefold())
    cased = INVISIBLE.sub("", unicodedata.normalize("NFKC", cased.casefold())).translate(ONE_OF_MANY)
    bare = _without_marks(unicodedata.normalize("NFD", cased)).translate(WITHOUT_A_MARK)
    return DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), unicodedata.normalize("NFC", bare))


def _without_marks(decomposed: str) -> str:
    """The text without the marks that stand after Latin and Greek letters."""
    left: list[str] = []
    is_bare = False
    for character in decomposed:
        if unicodedata.combining(character):
            if is_bare:
                continue
        else:
            is_bare = _loses_marks(character)
        left.append(character)
    return "".join(left)


@cache
def _loses_marks(letter: str) -> bool:
    return letter.isalpha() and unicodedata.name(letter, "").startswith(("LATIN", "GREEK"))
