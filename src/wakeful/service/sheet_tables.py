"""Takes over what the tabs of a sheet say of animals, parameters and channels."""

from __future__ import annotations

import csv
import io
import re
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from wakeful.animal_config import LabTables, SheetTables
from wakeful.catalog import Catalog
from wakeful.config import LAB_TABLES_NAME, Library
from wakeful.io.atomic import write_bytes
from wakeful.io.channels_file import COLUMNS, read_channels_file
from wakeful.model.errors import BadChannels
from wakeful.pipeline.keys import digest
from wakeful.sheet.interface import SheetRow
from wakeful.sheet.lab_tabs import LabTabs, MapLine, read_lab_tabs
from wakeful.sheet.outside import CHANNELS_TAB, OutsideSheet, Tables, shown_text

FOLDER: Final = "sheets"
"""In the library: channel maps of sheets, as channels files."""
_MOST_SHOWN: Final = 4_000
"""Characters of a message in a cell; Google takes 50,000."""
_LINE: Final = re.compile(r"line (\d+): ([^|]+)")
_writing = threading.Lock()
"""Sheets are looked at in threads of their own and share one file."""


def maps_folder(library: Library) -> Path:
    """Where the channel maps of sheets are kept."""
    return library.root / FOLDER / "channels"


class SheetTabs:
    """The tabs beside the rows of one sheet.

    Parameters
    ----------
    library : takes over what they say
    catalog : whose steps parameters belong to
    sheet : whose tabs they are
    """

    def __init__(self, library: Library, catalog: Catalog, sheet: OutsideSheet) -> None:
        self._library = library
        self._catalog = catalog
        self._sheet = sheet
        self._read: Tables | None = None
        """As they were taken over."""
        self._seen: Tables | None = None
        """As they were at the last look."""
        self._good_maps: dict[tuple[str, str], list[MapLine]] = {}
        self._tabs = LabTabs()
        self._map_messages: dict[int, str] = {}

    def take(self) -> bool:
        """Take over what the tabs say, where they were the same at the last look (nobody is in the
        middle of typing) or there was none; whether that is something new.
        """
        tables = self._sheet.read_tables()
        seen, self._seen = self._seen, tables
        if (seen is not None and tables != seen) or (tables == self._read and self._is_kept()):
            return False
        before = self._library.lab_tables.sheets.get(self._sheet.name)
        told = self._library.config.parameters
        self._tabs = read_lab_tabs(tables, self._catalog, told, before)
        self._map_messages = {}
        self._check_maps()
        _keep(self._library, self._sheet.name, self._tabs.tables)
        self._read = tables
        return True

    @property
    def waits(self) -> bool:
        """Whether the tabs say something new that is taken over at the next look."""
        return self._seen != self._read

    def _is_kept(self) -> bool:
        """Whether what was taken over is still there: somebody may have deleted the file."""
        said = self._sheet.name in self._library.lab_tables.sheets
        return said or self._tabs.tables == SheetTables()

    def say(self) -> None:
        """Show in the tabs what is wrong in them."""
        messages = {tab: dict(said) for tab, said in self._tabs.messages.items()}
        messages.setdefault(CHANNELS_TAB, {}).update(self._map_messages)
        self._sheet.write_table_messages(
            {
                tab: {number: shown_text(text, _MOST_SHOWN) for number, text in said.items()}
                for tab, said in messages.items()
            }
        )

    def channels_for(self, row: SheetRow, mates: Iterable[str]) -> str:
        """What a row's cell `channels` means: the path of a map of the tab, or what is typed.

        Parameters
        ----------
        mates : subjects of all rows with the same recording: their channels belong to its map
        """
        typed = row.channels.strip()
        subject = row.subject.strip()
        if typed:
            lines = [line for line in self._tabs.channels if line.map == typed]
        else:
            lines = [line for line in self._tabs.channels if not line.map]
            if not any(line.subject == subject for line in lines):
                return row.channels
            there = {subject, *(mate.strip() for mate in mates)}
            lines = [line for line in lines if line.subject in there]
        return str(self._write_map(typed, lines)) if lines else row.channels

    def _write_map(self, name: str, lines: Sequence[MapLine]) -> Path:
        """A map as a channels file; the same map is the same file."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        at = 2
        for line in lines:
            # As many lines down as in the tab, so that a message about line 14 means row 14.
            text.write("\n" * (line.number - at))
            at = line.number + 1
            writer.writerow([line.cells.get(column, "") for column in COLUMNS])
        content = text.getvalue()
        named = name or "-".join(dict.fromkeys(line.subject for line in lines))
        safe = re.sub(r"[^A-Za-z0-9_.-]", "-", named).strip("-.")[:60] or "map"
        path = maps_folder(self._library) / f"{safe}-{digest(content)[:12]}.csv"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, content.encode())
        return path

    def _check_maps(self) -> None:
        """Each map by itself: what is wrong is said beside its lines at once."""
        groups: dict[tuple[str, str], list[MapLine]] = {}
        for line in self._tabs.channels:
            groups.setdefault((line.map, "" if line.map else line.subject), []).append(line)
        counting: list[MapLine] = []
        for place, lines in groups.items():
            try:
                read_channels_file(self._write_map(place[0], lines))
                self._good_maps[place] = lines
            except BadChannels as error:
                for number, what in _LINE.findall(error.what):
                    self._map_messages[int(number)] = what.strip()
                if not _LINE.search(error.what):
                    self._map_messages[lines[0].number] = error.what
            # A map that is spoilt now counts as it was.
            counting += self._good_maps.get(place, lines)
        self._tabs = replace(self._tabs, channels=tuple(counting))


def _keep(library: Library, sheet: str, tables: SheetTables) -> None:
    """Write what a sheet says beside wakeful.toml, where it is not there already."""
    with _writing:
        known = library.lab_tables
        said = {**known.sheets, sheet: tables}
        if tables == SheetTables():
            said.pop(sheet)
        if said == known.sheets:
            return
        text = LabTables(sheets=said).model_dump_json(indent=1, exclude_defaults=True)
        write_bytes(library.root / LAB_TABLES_NAME, text.encode())
