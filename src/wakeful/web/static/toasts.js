// Notes at the corner of the page. Errors stay until somebody closes them.

import { make } from "./setup.js";

const INFO_MS = 12000;
const place = document.getElementById("toasts");

/**
 * Show a note.
 * kind: "error" stays, "info" goes by itself. actions: [[label, function], ...].
 * Gives a function that takes the note away.
 */
export function say(text, { kind = "error", actions = [] } = {}) {
  for (const other of place.children) {
    if (other.dataset.text === text) other.remove();
  }
  const toast = make("div", { class: `toast ${kind}` });
  toast.dataset.text = text;
  const close = () => toast.remove();
  const lines = text.split("\n");
  toast.append(make("p", {}, lines[0]));
  if (lines.length > 1) {
    toast.append(make("ul", {}, ...lines.slice(1).map((line) => make("li", {}, line))));
  }
  const buttons = actions.map(([label, act]) =>
    make("button", { type: "button", onclick: () => { close(); act(); } }, label));
  buttons.push(make("button", { type: "button", class: "close", onclick: close, "aria-label": "Close this note" }, "Close"));
  toast.append(make("div", { class: "actions" }, ...buttons));
  place.append(toast);
  if (kind === "info") setTimeout(close, INFO_MS);
  return close;
}
