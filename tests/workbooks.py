"""Reads workbooks as Excel would, with nothing but what comes with Python."""

import re
import zipfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO
from xml.etree import ElementTree

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
DAY_ZERO = datetime.fromisoformat("1899-12-30")


@dataclass(frozen=True)
class Cell:
    """`look` is the number format; a text has none."""

    value: str | float
    look: str | None = None

    @property
    def instant(self) -> str:
        return str(DAY_ZERO + timedelta(seconds=round(self.value * 86_400)))


@dataclass(frozen=True)
class Sheet:
    rows: list[list[Cell | None]]
    is_head_frozen: bool
    filtered: str | None
    widths: list[float]

    @property
    def values(self) -> list[list[str | float | None]]:
        return [[cell and cell.value for cell in row] for row in self.rows]


def read(file: IO[bytes]) -> dict[str, Sheet]:
    """Every sheet by its name."""
    with zipfile.ZipFile(file) as parts:
        assert parts.testzip() is None
        assert not any("hyperlink" in parts.read(name).decode(errors="ignore") for name in parts.namelist())
        looks = _looks(ElementTree.fromstring(parts.read("xl/styles.xml")))
        book = ElementTree.fromstring(parts.read("xl/workbook.xml"))
        names = [sheet.get("name") for sheet in book.iter(f"{MAIN}sheet")]
        return {
            name: _sheet(ElementTree.fromstring(parts.read(f"xl/worksheets/sheet{number}.xml")), looks)
            for number, name in enumerate(names, start=1)
        }


def _looks(styles: ElementTree.Element) -> list[str | None]:
    known = {each.get("numFmtId"): each.get("formatCode") for each in styles.iter(f"{MAIN}numFmt")}
    known["9"] = "0%"  # comes with Excel
    used = styles.find(f"{MAIN}cellXfs")
    return [known.get(each.get("numFmtId")) for each in used]


def _sheet(root: ElementTree.Element, looks: list[str | None]) -> Sheet:
    assert root.find(f".//{MAIN}f") is None, "There is a formula."
    pane, filtered = root.find(f".//{MAIN}pane"), root.find(f"{MAIN}autoFilter")
    rows = []
    for row in root.iter(f"{MAIN}row"):
        rows += [[]] * (int(row.get("r")) - 1 - len(rows))  # those without a cell
        cells = {_position(each.get("r")): _cell(each, looks) for each in row}
        rows.append([cells.get(position) for position in range(max(cells, default=-1) + 1)])
    return Sheet(
        rows,
        is_head_frozen=pane is not None and pane.get("ySplit") == "1" and pane.get("state") == "frozen",
        filtered=None if filtered is None else filtered.get("ref"),
        widths=[float(column.get("width")) for column in root.iter(f"{MAIN}col")],
    )


def _cell(each: ElementTree.Element, looks: list[str | None]) -> Cell:
    if each.get("t") == "inlineStr":
        (text,) = each.iter(f"{MAIN}t")
        return Cell(ESCAPED.sub(lambda found: chr(int(found[1], 16)), text.text or ""))
    return Cell(float(each.find(f"{MAIN}v").text), looks[int(each.get("s", 0))])


def _position(address: str) -> int:
    column = 0
    for letter in address.rstrip("0123456789"):
        column = column * 26 + ord(letter) - ord("A") + 1
    return column - 1
