// Saving what people type. Nothing that was typed is lost: what can't be saved stays, and is marked.

import { dropRows, keyOf, known, refresh, takeRows, unsaved } from "./grid.js";
import { ask } from "./server.js";
import { plural, titleOf } from "./setup.js";
import { say } from "./toasts.js";

let table = null;
const done = [];
const MOST_UNDONE = 100;

export function watchTable(made) {
  table = made;
}

/** A cell was typed into or ticked: show it at once, save it, keep it where that fails. */
export function saveCell(number, column, text, seen) {
  const key = keyOf(number, column);
  const mine = { number, column, text, failed: false, close: () => {} };
  // The note about an earlier try has had its day.
  unsaved.get(key)?.close();
  // From now on news from elsewhere leave the cell alone.
  unsaved.set(key, mine);
  saving = saving.then(() => saveNow(key, mine, seen));
  return saving;
}

// One after the other: what a cell held before its second edit depends on how the first one went.
let saving = Promise.resolve();

/** "number:column" -> what stood there before the first try that failed. */
const seenBefore = new Map();

async function saveNow(key, mine, seen) {
  const { number, column, text } = mine;
  const before = seenBefore.get(key) ?? seen;
  try {
    const answer = await ask("api/change", {
      edits: [{ row: number, cells: { [column]: text }, expected: { [column]: before } }],
    });
    settle(key, mine);
    takeRows(answer.rows);
    remember({ edits: [{ number, column, from: before, to: text }] }, `the edit of row ${number}`);
  } catch (refusal) {
    if (refusal.kind === "conflict") {
      settle(key, mine);
      explainConflict(refusal, number, column, text);
    } else if (refusal.kind === "gone") {
      settle(key, mine);
      explainGone(number, column, text);
    } else {
      seenBefore.set(key, before);
      keep(refusal, mine);
    }
  }
}

function settle(key, mine) {
  seenBefore.delete(key);
  if (unsaved.get(key) === mine) unsaved.delete(key);
}

function explainConflict(refusal, number, column, text) {
  takeRows(refusal.rows ?? []);
  const row = table.getRow(number);
  if (row) refresh(row);
  const now = known.get(number)?.[column] ?? "";
  say(
    `Row ${number}, ${titleOf(column)}: somebody else changed this cell while you were typing. ` +
      `It now holds ${quote(now)}; you typed ${quote(text)}.`,
    { actions: [["Put mine there", () => saveCell(number, column, text, now)]] },
  );
}

/** A row was deleted while somebody typed into it. */
export function explainGone(number, column, text) {
  dropRows([number]);
  say(`Row ${number} was deleted by somebody else while you typed ${quote(text)} under ${titleOf(column)}.`, {
    actions: [["Bring the row back with it", async () => {
      try {
        takeRows((await ask("api/restore", { rows: [number] })).rows);
      } catch (refusal) {
        say(`Row ${number} was not brought back: ${refusal.message}`);
        return;
      }
      saveCell(number, column, text, known.get(number)?.[column] ?? "");
    }]],
  });
}

function keep(refusal, mine) {
  const { number, column } = mine;
  mine.failed = true;
  repaint(number);
  mine.close = say(`Row ${number}, ${titleOf(column)} is not saved: ${refusal.message}. What you typed is kept in the cell.`, {
    actions: [
      ["Try again", saveKept],
      ["Discard it", () => discard(number, column)],
    ],
  });
}

function discard(number, column) {
  unsaved.delete(keyOf(number, column));
  seenBefore.delete(keyOf(number, column));
  const row = table.getRow(number);
  if (row) refresh(row);
}

/** Try again what could not be saved. */
export function saveKept() {
  for (const { number, column, text, failed } of [...unsaved.values()]) {
    if (failed) saveCell(number, column, text, "");
  }
}

/** Whether something typed is only here. */
export function hasUnsaved() {
  return unsaved.size > 0;
}

function repaint(number) {
  // An update runs the row's formatter, which sets the marks.
  const row = table.getRow(number);
  if (row) row.update({ id: number });
}

/** Change many cells and add rows: all of it, or nothing. changes: [{number, column, to}, ...]. */
export async function saveMany(changes, added, what) {
  const rows = new Map();
  const edits = [];
  for (const { number, column, to } of changes) {
    const from = known.get(number)?.[column] ?? "";
    if (from === to) continue;
    edits.push({ number, column, from, to });
    const edit = rows.get(number) ?? { row: number, cells: {}, expected: {} };
    edit.cells[column] = to;
    edit.expected[column] = from;
    rows.set(number, edit);
  }
  if (!rows.size && !added.length) return null;
  try {
    const answer = await ask("api/change", { edits: [...rows.values()], added });
    takeRows(answer.rows);
    const made = answer.numbers.slice(rows.size);
    const parts = [];
    if (edits.length) parts.push(`${plural(edits.length, "cell")} changed`);
    if (made.length) parts.push(`${plural(made.length, "row")} added`);
    remember({ edits, made }, what);
    if (edits.length > 1 || made.length > 1) {
      say(`${parts.join(", ")}.`, { kind: "info", actions: [["Undo", undo]] });
    }
    return made;
  } catch (refusal) {
    takeRows(refusal.rows ?? []);
    say(`Nothing was changed (${what}): ${refusal.message}`);
    return null;
  }
}

export async function deleteRows(numbers) {
  try {
    const answer = await ask("api/delete", { rows: numbers });
    dropRows(numbers);
    remember({ deleted: answer.numbers }, `the deletion of ${plural(answer.numbers.length, "row")}`);
    const which = answer.numbers.length === 1 ? `Row ${answer.numbers[0]}` : plural(answer.numbers.length, "row");
    say(`${which} deleted. What was computed stays.`, { kind: "info", actions: [["Undo", undo]] });
  } catch (refusal) {
    say(`Nothing was deleted: ${refusal.message}`);
  }
}

/** Rows that came from a file can be taken back as one. */
export function rememberAdded(numbers, what) {
  remember({ made: numbers }, what);
}

function remember(act, what) {
  done.push({ edits: [], made: [], deleted: [], ...act, what });
  if (done.length > MOST_UNDONE) done.shift();
  showUndo();
}

function showUndo() {
  const button = document.getElementById("undo");
  button.disabled = !done.length;
  button.title = done.length ? `Take back ${done.at(-1).what} (Ctrl+Z)` : "Nothing to take back";
}

/** Take back what was done last, unless somebody else has changed it since. */
export async function undo() {
  const act = done.pop();
  showUndo();
  if (!act) return;
  try {
    const rows = new Map();
    for (const { number, column, from, to } of act.edits) {
      const edit = rows.get(number) ?? { row: number, cells: {}, expected: {} };
      edit.cells[column] = from;
      edit.expected[column] = to;
      rows.set(number, edit);
    }
    if (rows.size) takeRows((await ask("api/change", { edits: [...rows.values()] })).rows);
    if (act.made.length) {
      const gone = (await ask("api/delete", { rows: act.made })).numbers;
      dropRows(act.made);
      // Somebody may have typed into them since.
      say(`${plural(gone.length, "row")} taken out again.`, {
        kind: "notice", actions: [["Bring them back", () => bringBack(gone)]],
      });
    }
    if (act.deleted.length) takeRows((await ask("api/restore", { rows: act.deleted })).rows);
  } catch (refusal) {
    takeRows(refusal.rows ?? []);
    say(`Not taken back (${act.what}): ${refusal.message}`);
  }
}

async function bringBack(numbers) {
  try {
    takeRows((await ask("api/restore", { rows: numbers })).rows);
    remember({ made: numbers }, plural(numbers.length, "row"));
  } catch (refusal) {
    say(`Not brought back: ${refusal.message}`);
  }
}

function quote(text) {
  return text === "" ? "nothing" : `“${text.length > 80 ? `${text.slice(0, 77)}…` : text}”`;
}
