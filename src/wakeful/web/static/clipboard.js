// Blocks of cells to and from Excel: tabs between cells, line breaks between rows.

import { activeRange } from "./grid.js";
import { saveMany } from "./saving.js";
import { TYPED, plural, setup, titleOf } from "./setup.js";
import { say } from "./toasts.js";

const MOST_CELLS = 200000;
let table = null;

export function watchClipboard(made) {
  table = made;
  document.addEventListener("copy", copy);
  document.addEventListener("paste", paste);
}

function isElsewhere(event) {
  return Boolean(event.target.closest?.("textarea, input, select")) || Boolean(window.getSelection()?.toString() && !table.element.contains(document.activeElement));
}

function copy(event) {
  const range = activeRange();
  if (!range || isElsewhere(event)) return;
  const columns = range.getColumns().map((column) => column.getField()).filter((name) => name !== "id");
  const lines = range.getRows().map((row) => columns.map((name) => quote(row.getData()[name] ?? "")).join("\t"));
  event.clipboardData.setData("text/plain", lines.join("\n"));
  event.preventDefault();
}

function quote(text) {
  return /[\t\n\r"]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** The cells of a copied block: quotation marks hold cells together that contain tabs or breaks. */
export function readBlock(text) {
  const rows = [[]];
  let at = 0;
  while (at <= text.length) {
    let cell = "";
    const closing = text[at] === '"' ? findClosing(text, at) : -1;
    if (closing > 0) {
      cell = text.slice(at + 1, closing).replaceAll('""', '"');
      at = closing + 1;
    } else {
      const found = text.slice(at).search(/[\t\n\r]/);
      const stop = found < 0 ? text.length : at + found;
      cell = text.slice(at, stop);
      at = stop;
    }
    rows.at(-1).push(cell);
    if (at >= text.length) break;
    if (text[at] === "\t") at += 1;
    else {
      at += text.startsWith("\r\n", at) ? 2 : 1;
      // The break after the last row begins no further one.
      if (at >= text.length) break;
      rows.push([]);
    }
  }
  return rows;
}

/** Where a quoted cell ends; -1 where the mark is part of what was typed. */
function findClosing(text, start) {
  for (let at = start + 1; at < text.length; at += 1) {
    if (text[at] !== '"') continue;
    if (text[at + 1] === '"') at += 1;
    else return at + 1 >= text.length || "\t\n\r".includes(text[at + 1]) ? at : -1;
  }
  return -1;
}

async function paste(event) {
  if (isElsewhere(event)) return;
  const text = event.clipboardData.getData("text/plain");
  if (!text) return;
  event.preventDefault();
  const block = readBlock(text);
  const range = activeRange();
  const names = setup.columns.map((column) => column.name);
  const columns = range ? range.getColumns().map((c) => c.getField()).filter((n) => n !== "id") : [names[0]];
  const selected = range ? range.getRows() : [];
  const first = names.indexOf(columns[0] ?? names[0]);
  if (isHeader(block[0])) {
    if (block.length === 1) return;
    block.shift();
  }
  // One value into a larger selection fills all of it.
  if (block.length === 1 && block[0].length === 1 && selected.length * columns.length > 1) {
    const line = columns.map(() => block[0][0]);
    block.splice(0, 1, ...selected.map(() => [...line]));
  }
  const width = Math.max(...block.map((line) => line.length));
  if (block.length * width > MOST_CELLS) {
    say(`Nothing was pasted: the block has ${plural(block.length * width, "cell")}. Import it as a file.`);
    return;
  }
  const reached = names.slice(first, first + width);
  const closed = reached.filter((name) => !TYPED.includes(name));
  const holds = block.some((line) => line.some((cell, i) => cell !== "" && !TYPED.includes(names[first + i])));
  if (holds) {
    const over = closed.length ? `reaches over ${closed.map(titleOf).join(", ")}, which Wakeful fills` : "is wider than the sheet";
    say(`Nothing was pasted: the block (${plural(block.length, "row")}, ${plural(width, "column")}) ${over}. Copy fewer columns, or select a cell further to the left.`);
    return;
  }
  const shown = table.getRows("active");
  const begin = selected.length ? shown.indexOf(selected[0]) : -1;
  const changes = [];
  const added = [];
  block.forEach((line, i) => {
    const row = begin < 0 ? undefined : shown[begin + i];
    const cells = line.map((cell, j) => [names[first + j], cell]).filter(([name]) => TYPED.includes(name));
    if (row) changes.push(...cells.map(([column, to]) => ({ number: row.getData().id, column, to })));
    else if (cells.some(([, cell]) => cell !== "")) added.push(Object.fromEntries(cells));
  });
  await saveMany(changes, added, "the paste");
}

/** Whether a line holds only titles of columns, as a block copied with its header does. */
function isHeader(line) {
  const titles = new Set(setup.columns.flatMap((column) => [column.name, column.title]));
  const plain = line.map((cell) => cell.trim().toLowerCase());
  return plain.length > 1 && plain.every((cell) => titles.has(cell));
}
