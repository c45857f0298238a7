// The table: its columns, how cells look, which rows it holds.

import { choiceEditor, moves, startTyping, textEditor } from "./editors.js";
import { make, readTick, setup } from "./setup.js";

// All but the message fit into 1280 pixels; the message stands in full below the table.
const WIDTHS = {
  subject: 68, recording: 160, analyses: 100, params: 92, stream: 54, channels: 68, priority: 56,
  run: 38, rerun: 48, notes: 70, status: 142, progress: 98, started: 80, finished: 80, link: 50,
  message: 460,
};

const MANY = 100;

// A sign and a word for each: nobody has to tell colours apart.
const SIGNS = {
  waiting: "○", watching: "◎", queued: "◔", transferring: "⇣", running: "▶", following: "▷",
  publishing: "⇡", done: "✓", "done with warnings": "✓", failed: "✕", "needs attention": "!",
  cancelled: "–", paused: "‖",
};

export const choices = { analyses: [], params: [] };

/** The newest row of each number as the server gave it. */
export const known = new Map();

/** What was typed and is not saved yet: "number:column" -> {text, failed}. */
export const unsaved = new Map();

export const keyOf = (number, column) => `${number}:${column}`;

let table = null;
const heard = { toggle: () => {}, typed: () => {}, changed: () => {}, lost: () => {} };

export function makeTable(listeners) {
  Object.assign(heard, listeners);
  table = new Tabulator("#table", {
    index: "id",
    height: "100%",
    layout: "fitData",
    rowHeight: 29,
    renderHorizontal: "basic",
    columnDefaults: { headerSort: true, headerSortTristate: true, resizable: "header", headerHozAlign: "left" },
    headerSortClickElement: "icon",
    rowHeader: {
      field: "id", title: "#", headerSort: false, resizable: false, frozen: true, width: 44,
      hozAlign: "right", cssClass: "number", headerTooltip: "The row's number; click to select the row",
    },
    columns: setup.columns.map(makeColumn),
    // Widths that somebody chose are kept in the browser.
    persistence: { columns: ["width"] },
    persistenceID: "wakeful-sheet",
    selectableRange: 1,
    selectableRangeRows: true,
    selectableRangeColumns: true,
    selectableRangeAutoFocus: true,
    editTriggerEvent: "dblclick",
    rowFormatter: paint,
    placeholder: nothing,
    data: [],
  });
  table.on("cellEdited", (cell) => heard.typed(cell));
  table.on("cellEditCancelled", (cell) => refresh(cell.getRow()));
  table.on("cellClick", (event, cell) => {
    if (cell.getField() === "run" && event.target.closest(".tick")) heard.toggle([cell]);
  });
  table.on("rangeChanged", () => heard.changed());
  table.on("rangeAdded", () => heard.changed());
  moves.after = (direction) => setTimeout(() => table.modules.selectRange.navigate(false, false, direction));
  table.element.addEventListener("keydown", onKey);
  return new Promise((done) => table.on("tableBuilt", () => done(table)));
}

const nothing = make("div", { class: "empty" }, make("p", {}, "Loading the rows…"));

/** What stands where no row is shown. */
export function sayNothing(...lines) {
  nothing.replaceChildren(...lines.map((line) => make("p", {}, line)));
}

function makeColumn(column) {
  const name = column.name;
  const definition = {
    field: name,
    title: column.title,
    headerTooltip: column.help,
    width: WIDTHS[name] ?? 100,
    cssClass: column.typed ? "typed" : "filled",
    formatter: (cell) => draw(name, cell),
    sorter: ["priority", "rerun"].includes(name) ? "number" : "alphanum",
  };
  if (!column.typed || name === "run") return definition;
  if (name === "analyses") definition.editor = choiceEditor(() => choices.analyses, true);
  else if (name === "params") definition.editor = choiceEditor(() => choices.params, false);
  else definition.editor = textEditor;
  return definition;
}

function draw(name, cell) {
  const text = cell.getValue() ?? "";
  if (name === "run") return drawTick(text);
  if (name === "status") return text ? drawStatus(text) : "";
  if (name === "link") return drawLink(text, cell.getData()._link);
  // The day is known from the year's rest; the whole time is in the tooltip.
  if (name === "started" || name === "finished") return make("span", { class: "moment" }, text.replace(/^\d{4}-(\d\d-\d\d \d\d:\d\d)(:\d\d)?$/, "$1"));
  return make("span", {}, text);
}

function drawTick(text) {
  const tick = readTick(text);
  if (tick === null) return make("span", { class: "tick odd", role: "checkbox", "aria-checked": "mixed" }, text);
  return make("span", { class: `tick ${tick ? "on" : "off"}`, role: "checkbox", "aria-checked": String(tick) }, tick ? "✓" : "");
}

function drawStatus(text) {
  const kind = text.replaceAll(" ", "-");
  return make("span", { class: `status ${kind}` }, make("b", { "aria-hidden": "true" }, SIGNS[text] ?? "·"), text);
}

function drawLink(text, target) {
  if (!text) return "";
  if (!target) return make("span", { class: "faint" }, text);
  return make("a", { href: target, target: "_blank", rel: "noopener", title: text }, "report");
}

/** Marks of a row's cells: bad, unsaved; and the tooltips. */
function paint(row) {
  const data = row.getData();
  for (const cell of row.getCells()) {
    const name = cell.getField();
    const element = cell.getElement();
    const problem = data._problems?.[name];
    const kept = unsaved.get(keyOf(data.id, name));
    element.classList.toggle("bad", Boolean(problem));
    element.classList.toggle("unsaved", Boolean(kept?.failed));
    if (problem) element.setAttribute("aria-invalid", "true");
    else element.removeAttribute("aria-invalid");
    const said = [problem, kept?.failed && "not saved yet; it is kept here"].filter(Boolean).join("\n");
    const shown = name === "status" ? (setup.statuses[data.status] ?? "") : String(data[name] ?? "");
    element.title = said || shown;
  }
}

function onKey(event) {
  if (event.target.closest("textarea, input")) return;
  const cell = activeCell();
  if (!cell) return;
  if (event.key === " " && cell.getField() === "run") {
    event.preventDefault();
    heard.toggle(rangeCells().filter((one) => one.getField() === "run"));
  } else if (event.key === "F2" && cell.getColumn().getDefinition().editor) {
    event.preventDefault();
    cell.edit();
  } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
    if (!cell.getColumn().getDefinition().editor) return;
    event.preventDefault();
    startTyping(cell, event.key);
  }
}

export function activeRange() {
  return table.getRanges()[0] ?? null;
}

export function rangeCells() {
  return activeRange()?.getCells().flat() ?? [];
}

export function activeCell() {
  const cell = table.modules.selectRange.getActiveCell();
  return cell && cell.row.type === "row" && cell.column.field !== "id" ? cell.getComponent() : null;
}

/** Whether an editor is open in a cell. */
function isEdited(number, column) {
  const cell = table.modules.edit.currentCell;
  return Boolean(cell) && cell.row.data.id === number && cell.column.field === column;
}

/** What a row shall show: the newest from the server, except what a person is typing or could not save. */
function visible(row) {
  const shown = { ...row };
  for (const column of Object.keys(shown)) {
    if (unsaved.has(keyOf(row.id, column)) || isEdited(row.id, column)) delete shown[column];
  }
  return shown;
}

/** Show a row anew, from what the server said last. */
export function refresh(row) {
  const newest = known.get(row.getData().id);
  if (newest) row.update(visible(newest));
}

/** Take in rows from the server; those that are older than what is shown are left out. */
export function takeRows(rows) {
  const added = [];
  const fresh = rows.filter((row) => (known.get(row.id)?._version ?? -1) <= row._version);
  if (!fresh.length) return;
  let largest = 0;
  for (const number of known.keys()) largest = Math.max(largest, number);
  let isBetween = false;
  // To find a row, the table looks at one after the other: for many, all are listed once.
  const listed = fresh.length > MANY ? new Map(table.getRows().map((row) => [row.getData().id, row])) : null;
  const find = (number) => (listed ? listed.get(number) : table.getRow(number));
  for (const row of fresh) {
    const before = known.get(row.id);
    known.set(row.id, row);
    if (before) find(row.id)?.update(visible(row));
    else {
      isBetween ||= row.id < largest;
      added.push({ ...row });
    }
  }
  if (added.length) {
    table.addData(added).then(() => {
      // A restored row goes back to its place, unless somebody chose another order.
      if (isBetween && !table.getSorters().length) table.setSort("id", "asc");
      heard.changed();
    });
  }
  heard.changed();
}

/** Take rows out that the server no longer has. */
export function dropRows(numbers) {
  const edited = table.modules.edit.currentCell;
  if (edited && numbers.includes(edited.row.data.id)) {
    // What is being typed is not lost with the row.
    const text = edited.getElement().querySelector("textarea")?.value ?? "";
    const { data } = edited.row;
    const column = edited.column.field;
    table.modules.edit.cancelEdit();
    if (text !== (data[column] ?? "")) heard.lost(data.id, column, text);
  }
  const there = numbers.filter((number) => known.delete(number));
  if (there.length) table.deleteRow(there.filter((number) => table.getRow(number)));
  heard.changed();
}

/** All rows anew; scroll position, selection and an open edit stay. */
export async function loadRows(rows) {
  if (!known.size) {
    for (const row of rows) known.set(row.id, row);
    await table.setData(rows.map((row) => ({ ...row })));
    heard.changed();
    return;
  }
  const numbers = new Set(rows.map((row) => row.id));
  dropRows([...known.keys()].filter((number) => !numbers.has(number)));
  // Versions of an earlier process mean nothing now.
  for (const row of known.values()) row._version = -1;
  takeRows(rows);
}
