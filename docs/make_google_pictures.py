"""Pictures of a Google Sheet for the tutorial, drawn from what the set-up and a run really write.

Google's own pages can't be photographed here: a stand-in for Google takes the calls of the real
client library, and its cells are drawn with the colours, widths and tick boxes they were given.

    python docs/make_google_pictures.py docs/images

Needs Chromium (`chromium` on the path) and Playwright, which `make test` installs.
"""

from __future__ import annotations

import html
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.google_library import GoogleLibrary, google_library
from tests.google_stand_in.server import SERVICE_EMAIL
from tests.google_stand_in.sheets import Person, Tab

from wakeful.config import CONFIG_NAME
from wakeful.simulate.neuralynx import write_neuralynx
from wakeful.simulate.plan import RecordingPlan, SubjectPlan

STYLE = """
body { margin: 0; font: 13px/1.35 Roboto, "DejaVu Sans", sans-serif; background: #fff; }
table { border-collapse: collapse; table-layout: fixed; }
td { border: 1px solid #d5d5d5; padding: 3px 6px; overflow: hidden; white-space: nowrap;
  text-overflow: ellipsis; vertical-align: middle; }
td.wrap { white-space: normal; }
tr:first-child td { font-weight: bold; }
td.side { background: #f3f3f3; color: #555; text-align: center; font-weight: normal; width: 28px; }
.tabs { background: #f0f3f8; border-top: 1px solid #c8c8c8; padding: 6px 8px; color: #444; }
.tabs b { background: #fff; padding: 6px 12px; color: #0b57d0; }
.tabs span { padding: 6px 12px; }
.box { display: inline-block; width: 12px; height: 12px; border: 2px solid #5f6368;
  border-radius: 2px; text-align: center; line-height: 12px; }
.tick { background: #0b57d0; border-color: #0b57d0; color: #fff; }
a { color: #0b57d0; }
"""


def draw(lab: GoogleLibrary, title: str, columns: list[str], n_rows: int) -> str:
    """A tab as a page."""
    tab = lab.book.tab(title)
    header = [str(v or "") for v in tab.cells[0]]
    places = [header.index(name) for name in columns]
    widths = _widths(tab)
    colours = _colours(tab)
    lines = [
        "<tr><td class=side></td>"
        + "".join(f"<td class=side>{chr(65 + place)}</td>" for place in places)
        + "</tr>"
    ]
    for row in range(n_rows + 1):
        cells = [f"<td class=side>{row + 1}</td>"]
        for place in places:
            value = tab.get(row, place)
            colour = _header_colour(tab, place) if row == 0 else colours.get(str(value), "#fff")
            wrap = " class=wrap" if row and header[place] == "message" else ""
            text = _cell(value, header[place], row)
            cells.append(f'<td{wrap} style="background:{colour}">{text}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    columns_of_width = "".join(f'<col style="width:{widths.get(p, 100)}px">' for p in places)
    names = "".join(
        f"<b>{t.title}</b>" if t.title == title else f"<span>{t.title}</span>"
        for t in lab.book.tabs
    )
    return (
        f"<meta charset=utf-8><style>{STYLE}</style><div id=shot><table><col style='width:40px'>"
        f"{columns_of_width}{''.join(lines)}</table><div class=tabs>{names}</div></div>"
    )


def _cell(value: Any, name: str, row: int) -> str:
    if row and name == "run":
        return "<span class='box tick'>✓</span>" if value is True else "<span class=box></span>"
    text = html.escape(str(value)) if value is not None else ""
    return f"<a>{text}</a>" if text.startswith("https://") else text


def _widths(tab: Tab) -> dict[int, int]:
    return {
        one["range"]["startIndex"]: one["properties"]["pixelSize"]
        for one in tab.rules.get("updateDimensionProperties", [])
    }


def _header_colour(tab: Tab, place: int) -> str:
    for one in tab.rules.get("repeatCell", []):
        area = one["range"]
        if area.get("endRowIndex") == 1 and area["startColumnIndex"] == place:
            return _hex(one["cell"]["userEnteredFormat"]["backgroundColor"])
    return "#fff"


def _colours(tab: Tab) -> dict[str, str]:
    rules = [one["rule"]["booleanRule"] for one in tab.rules.get("addConditionalFormatRule", [])]
    return {
        rule["condition"]["values"][0]["userEnteredValue"]: _hex(rule["format"]["backgroundColor"])
        for rule in rules
    }


def _hex(colour: dict[str, float]) -> str:
    return "#" + "".join(f"{round(255 * colour[c]):02x}" for c in ("red", "green", "blue"))


def shoot(page: str, path: Path) -> None:
    """A screenshot of a page."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        view = browser.new_page(viewport={"width": 1400, "height": 800})
        view.set_content(page)
        view.locator("#shot").screenshot(path=path)
        browser.close()


def _wakeful(lab: GoogleLibrary, *words: str) -> None:
    command = [sys.executable, "-m", "wakeful", *words, "--library", str(lab.library.root)]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL)


def main() -> None:
    images = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as name, google_library(Path(name)) as lab:
        folder = Path(name)
        address = lab.google.sheets.address(lab.book)
        lab.book.tab("Sheet1").cells.clear()
        _wakeful(lab, "sheet", "setup", address)
        person = Person(lab.google, lab.book, "Recordings")
        recordings = {"M014": folder / "data" / "M014" / "day1"}
        plan = RecordingPlan(
            subject=SubjectPlan(identifier="M014", seed=3), duration_s=240.0, rate_hz=2000
        )
        write_neuralynx(plan, recordings["M014"])
        toml = lab.library.root / CONFIG_NAME
        published = folder / "figures"
        published.mkdir()
        text = toml.read_text(encoding="utf-8")
        toml.write_text(
            text + f'\n[delivery]\nto = "folder"\nfolder = "{published}"\n'
            'link = "https://figures.example.org"\n',
            encoding="utf-8",
        )
        day1 = str(recordings["M014"])
        rows: list[dict[str, Any]] = [
            {"subject": "M014", "recording": day1, "analyses": "muscle, day", "run": True},
            {"subject": "M 15", "recording": day1, "analyses": "slep", "run": True},
            {"subject": "M016", "recording": day1, "run": None},
        ]
        for row in rows:
            person.type_row(row)
        _wakeful(lab, "run", "--once", "--quiet")
        for line in lab.book.tab("Recordings").cells:  # paths as a lab would have them
            for place, value in enumerate(line):
                if isinstance(value, str):
                    line[place] = value.replace(str(folder / "data"), "/data")
        columns = ["subject", "recording", "analyses", "run", "status", "progress", "link"]
        shoot(draw(lab, "Recordings", columns, 6), images / "google-sheet.png")
        message = ["subject", "analyses", "run", "status", "message"]
        lab.book.tab("Recordings").rules["updateDimensionProperties"].append(
            {
                "range": {"startIndex": person.header().index("message")},
                "properties": {"pixelSize": 820},
            }
        )
        shoot(draw(lab, "Recordings", message, 4), images / "google-sheet-messages.png")
        subjects = Person(lab.google, lab.book, "Subjects")
        subjects.type_row({"subject": "M014", "species": "mouse", "sex": "F"})
        subjects.type_cell(2, "birth", "2025-11-03")
        subjects.type_cell(2, "lights", "07:00-19:00; from 2026-03-01 09:00-21:00")
        subjects.type_row({"subject": "M015", "species": "mouse", "sex": "Q"})
        _wakeful(lab, "run", "--once", "--quiet")
        shown = ["subject", "species", "sex", "birth", "lights", "message"]
        lab.book.tab("Subjects").rules["updateDimensionProperties"].append(
            {
                "range": {"startIndex": subjects.header().index("lights")},
                "properties": {"pixelSize": 330},
            }
        )
        shoot(draw(lab, "Subjects", shown, 4), images / "google-subjects.png")
    print(f"shared with {SERVICE_EMAIL}; pictures are in {images}")


if __name__ == "__main__":
    main()
