// The page: puts the table, its tools and the live news together.

import { watchClipboard } from "./clipboard.js";
import { activeCell, activeRange, known, makeTable, rangeCells, sayNothing } from "./grid.js";
import { goLive } from "./live.js";
import { deleteRows, explainGone, hasUnsaved, rememberAdded, saveCell, saveMany, undo, watchTable } from "./saving.js";
import { ask } from "./server.js";
import { TYPED, make, plural, readTick, setup, titleOf } from "./setup.js";
import { say } from "./toasts.js";

const byId = (name) => document.getElementById(name);
const MANY = 20;
let isLoaded = false;

const table = await makeTable({
  typed: (cell) => {
    const seen = cell.getOldValue() ?? "";
    if (cell.getValue() !== seen) saveCell(cell.getData().id, cell.getField(), cell.getValue(), seen);
  },
  toggle: (cells) => {
    // A mixed selection is ticked first, as in every spreadsheet.
    const to = cells.every((cell) => readTick(cell.getValue())) ? "" : "yes";
    for (const cell of cells) {
      const seen = cell.getValue();
      if (readTick(seen) === (to === "yes")) continue;
      cell.getRow().update({ run: to });
      saveCell(cell.getData().id, "run", to, seen);
    }
  },
  changed: () => requestAnimationFrame(showSelection),
  lost: explainGone,
});
watchTable(table);
watchClipboard(table);

// ----- rows: add, delete, undo

byId("add").addEventListener("click", async () => {
  const count = Math.min(500, Math.max(1, Number(byId("add-count").value) || 1));
  const made = await saveMany([], Array.from({ length: count }, () => ({})), plural(count, "new row"));
  if (!made) return;
  byId("find").value = "";
  byId("only").value = "";
  filter();
  const row = table.getRow(made[0]);
  await table.scrollToRow(row, "center", false).catch(() => {});
  select(row.getCell("subject"));
});

function select(cell) {
  for (const range of table.getRanges()) range.remove();
  table.addRange(cell, cell);
  table.element.querySelector(".tabulator-tableholder").focus();
}

function selectedNumbers() {
  return (activeRange()?.getRows() ?? []).map((row) => row.getData().id).filter((number) => known.has(number));
}

byId("delete").addEventListener("click", () => {
  const numbers = selectedNumbers();
  if (numbers.length > MANY && !window.confirm(`Delete ${plural(numbers.length, "row")}?`)) return;
  if (numbers.length) deleteRows(numbers);
});
byId("undo").addEventListener("click", undo);

document.addEventListener("keydown", (event) => {
  if (event.target.closest("textarea, input, select")) return;
  if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "z") {
    event.preventDefault();
    undo();
  } else if (event.key === "Delete" || event.key === "Backspace") {
    const changes = rangeCells()
      .filter((cell) => TYPED.includes(cell.getField()) && cell.getValue() !== "")
      .map((cell) => ({ number: cell.getData().id, column: cell.getField(), to: "" }));
    if (changes.length && table.element.contains(document.activeElement)) {
      event.preventDefault();
      saveMany(changes, [], plural(changes.length, "cleared cell"));
    }
  }
});

window.addEventListener("beforeunload", (event) => {
  if (hasUnsaved()) event.preventDefault();
});

// ----- files

byId("import").addEventListener("click", () => byId("import-file").click());
byId("import-file").addEventListener("change", () => {
  for (const file of byId("import-file").files) importFile(file);
  byId("import-file").value = "";
});

async function importFile(file, judge = true) {
  try {
    const path = `api/import?name=${encodeURIComponent(file.name)}&judge=${judge}`;
    const done = await ask(path, file, "application/octet-stream");
    rememberAdded(done.numbers, `the import of ${file.name}`);
    const lines = [`${plural(done.numbers.length, "row")} added from ${file.name}.`];
    if (done.unknown_columns.length) lines.push(`Not read: ${done.unknown_columns.join(", ")}`);
    // What was left out or put right is read before it goes.
    const kind = lines.length > 1 || done.notices.length ? "notice" : "info";
    say([...lines, ...done.notices].join("\n"), { kind, actions: done.numbers.length ? [["Undo", undo]] : [] });
  } catch (refusal) {
    const canBeTaken = judge && refusal.kind === "lines" && !refusal.message.includes("is a formula");
    const actions = canBeTaken ? [["Add all rows as they are, and correct them here", () => importFile(file, false)]] : [];
    say(`${refusal.message}`, { actions });
  }
}

let dragged = 0;
const holdsFile = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
document.addEventListener("dragenter", (event) => { if (holdsFile(event)) { dragged += 1; byId("drop").hidden = false; } });
document.addEventListener("dragleave", (event) => { if (holdsFile(event) && (dragged -= 1) <= 0) byId("drop").hidden = true; });
document.addEventListener("dragover", (event) => { if (holdsFile(event)) event.preventDefault(); });
document.addEventListener("drop", (event) => {
  if (!holdsFile(event)) return;
  event.preventDefault();
  dragged = 0;
  byId("drop").hidden = true;
  for (const file of event.dataTransfer.files) importFile(file);
});

// ----- finding

byId("only").append(
  make("option", { value: "_bad" }, "rows with something wrong"),
  ...Object.keys(setup.statuses).map((status) => make("option", { value: status }, status)),
);
byId("only").addEventListener("change", filter);
let typing = 0;
byId("find").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(filter, 200);
});

function filter() {
  const only = byId("only").value;
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!only && !words.length) table.clearFilter();
  else {
    table.setFilter((row) => {
      if (only === "_bad" ? !row._fault && row.status !== "failed" && row.status !== "needs attention" : only && row.status !== only) return false;
      if (!words.length) return true;
      const text = setup.columns.map((column) => row[column.name]).join("\n").toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }
  showCount();
}

function showCount() {
  if (known.size) sayNothing("No row fits what you look for.");
  else if (isLoaded) sayNothing("There are no rows yet.", "Click Add rows, drop a CSV or Excel file on this page, or copy rows in Excel and paste them here (Ctrl+V).");
  const shown = table.getDataCount("active");
  const all = known.size;
  byId("count").textContent = shown === all ? plural(all, "row") : `${shown.toLocaleString("en")} of ${plural(all, "row")}`;
}

// ----- the selected row, in full

function showSelection() {
  showCount();
  const place = byId("details");
  const cell = activeCell();
  const row = cell ? known.get(cell.getData().id) : null;
  const numbers = row ? selectedNumbers() : [];
  byId("delete").disabled = !numbers.length;
  byId("delete").textContent = numbers.length > 1 ? `Delete ${plural(numbers.length, "row")}` : "Delete row";
  if (!row) {
    place.replaceChildren(make("p", { class: "faint" }, "Select a row to read all that is known of it. Type to change a cell; Enter saves, Esc takes it back."));
    return;
  }
  const name = cell.getField();
  const title = make("p", {}, make("b", {}, `Row ${row.id}`), row.subject ? ` · ${row.subject}` : "", row.status ? ` · ${row.status}` : "", row.progress ? ` · ${row.progress}` : "");
  if (row._link) title.append(" · ", make("a", { href: row._link, target: "_blank", rel: "noopener" }, "open the report"));
  const said = row.message.split(" | ").filter(Boolean);
  const list = make("ul", { class: row._fault ? "wrong" : "" }, ...said.map((text) => make("li", {}, text)));
  const text = String(row[name] ?? "");
  const of = setup.columns.find((column) => column.name === name)?.help ?? "";
  const help = (name === "status" && setup.statuses[row.status]) || of;
  const inCell = make("p", { class: "cell" }, make("b", {}, titleOf(name)), " ", make("span", {}, text || "empty"), make("small", {}, help));
  // The message is there anyway, point by point.
  place.replaceChildren(title, ...(name === "message" ? [] : [inCell]), list);
}

await goLive();
isLoaded = true;
showSelection();
