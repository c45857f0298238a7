// Editors of cells: text as typed, and lists to choose from where typing is possible too.

import { make } from "./setup.js";

// The key that began the edit; it replaces what stood in the cell, as in every spreadsheet.
let seed = null;

export function startTyping(cell, character) {
  seed = character;
  cell.edit();
  seed = null;
}

/** Moves the selection when an edit was ended by a key; the table sets it. */
export const moves = { after: () => {} };

/** An editor for text. A text area: a one-line field would drop the line breaks of a cell. */
export function textEditor(cell, onRendered, success, cancel) {
  const field = makeField(cell, success, cancel);
  onRendered(() => begin(field));
  return field;
}

function makeField(cell, success, cancel) {
  const field = make("textarea", { rows: "1", spellcheck: "false", autocomplete: "off" });
  field.setAttribute("aria-label", cell.getColumn().getDefinition().title);
  field.value = seed ?? cell.getValue() ?? "";
  field.dataset.seeded = seed === null ? "" : "1";
  let ended = false;
  const finish = (move) => {
    if (ended) return;
    ended = true;
    success(field.value);
    if (move) moves.after(move);
  };
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter" && event.altKey) {
      field.setRangeText("\n", field.selectionStart, field.selectionEnd, "end");
      event.preventDefault();
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      finish(event.shiftKey ? "up" : "down");
    } else if (event.key === "Tab") {
      event.preventDefault();
      finish(event.shiftKey ? "left" : "right");
    } else if (event.key === "Escape") {
      event.preventDefault();
      ended = true;
      cancel();
    }
  });
  field.addEventListener("blur", () => finish(null));
  return field;
}

function begin(field) {
  field.focus({ preventScroll: true });
  if (field.dataset.seeded) field.setSelectionRange(field.value.length, field.value.length);
  else field.select();
}

/**
 * An editor with a list below it.
 * choices: () => [[name, title], ...]. several: whether more than one may be chosen, with commas.
 */
export function choiceEditor(choices, several) {
  return (cell, onRendered, success, cancel) => {
    const field = makeField(cell, success, cancel);
    const list = make("div", { class: "choices", role: "listbox" });
    const chosen = () => field.value.split(/[,;\n]/).map((part) => part.trim()).filter(Boolean);
    let typedSince = Boolean(field.dataset.seeded);
    let reached = -1;

    const draw = () => {
      const names = chosen();
      const known = new Set(names.map(fold));
      // What is being typed narrows the list; what was chosen before does not.
      const last = typedSince ? fold(field.value.split(/[,;\n]/).at(-1).trim()) : "";
      const isWhole = choices().some(([name]) => fold(name) === last);
      list.replaceChildren(...choices()
        .filter(([name, title]) => !last || isWhole || fold(name).includes(last) || fold(title).includes(last))
        .map(([name, title]) => entry(name, title, known.has(fold(name)) || known.has(fold(title)))));
      reached = -1;
      if (!list.children.length) list.append(make("p", {}, "no such name; what you type is kept and checked"));
    };
    const entry = (name, title, isChosen) => {
      const mark = several ? (isChosen ? "☑" : "☐") : (isChosen ? "●" : "○");
      const line = make("div", { class: "choice", role: "option", "aria-selected": String(isChosen) },
        make("span", { class: "mark" }, mark), name);
      if (title && title !== name) line.append(make("small", {}, title));
      line.addEventListener("mousedown", (event) => {
        event.preventDefault();
        event.stopPropagation();
        choose(name, isChosen);
      });
      return line;
    };
    const choose = (name, isChosen) => {
      if (!several) {
        field.value = name;
        typedSince = false;
        draw();
        field.blur();
        return;
      }
      const parts = chosen();
      const isPart = typedSince && parts.length && !choices().some(([n, t]) => [fold(n), fold(t)].includes(fold(parts.at(-1))));
      const kept = isPart ? parts.slice(0, -1) : parts;
      const titles = choices().filter(([n]) => n === name).map(([, t]) => fold(t));
      const without = kept.filter((part) => fold(part) !== fold(name) && !titles.includes(fold(part)));
      field.value = (isChosen ? without : [...without, name]).join(", ");
      typedSince = false;
      draw();
    };
    // Arrows go through the list and Enter takes what they reached; before the field sees the keys.
    field.addEventListener("keydown", (event) => {
      const lines = [...list.querySelectorAll(".choice")];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && lines.length) {
        reached = Math.max(-1, Math.min(lines.length - 1, reached + step));
        lines.forEach((line, i) => line.classList.toggle("reached", i === reached));
        lines[reached]?.scrollIntoView({ block: "nearest" });
      } else if (event.key === "Enter" && lines[reached]) {
        const at = reached;
        lines[at].dispatchEvent(new MouseEvent("mousedown", { cancelable: true }));
        if (several) {
          // Where the list is the same again, the place in it stays.
          reached = Math.min(at, list.children.length - 1);
          list.children[reached]?.classList.add("reached");
        }
      } else return;
      event.preventDefault();
      event.stopImmediatePropagation();
    }, true);
    field.addEventListener("input", () => { typedSince = true; draw(); });
    const put = () => {
      const at = field.getBoundingClientRect();
      list.style.left = `${Math.min(at.left, window.innerWidth - 300)}px`;
      const below = window.innerHeight - at.bottom;
      list.style.maxHeight = `${Math.min(340, Math.max(below, at.top) - 16)}px`;
      if (below > 220) list.style.top = `${at.bottom + 2}px`;
      else list.style.bottom = `${window.innerHeight - at.top + 2}px`;
    };
    onRendered(() => {
      draw();
      document.body.append(list);
      put();
      begin(field);
    });
    // The field leaves the page in every way an edit can end; the list goes with it.
    const watch = new MutationObserver(() => {
      if (!field.isConnected) { list.remove(); watch.disconnect(); }
    });
    watch.observe(document.getElementById("table"), { childList: true, subtree: true });
    return field;
  };
}

function fold(text) {
  return text.toLowerCase().replace(/[\s_-]+/g, "_");
}
