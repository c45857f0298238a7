// What changes in the sheet while the page is open: other people's edits, statuses, the service.

import { choices, dropRows, loadRows, takeRows, unsaved } from "./grid.js";
import { saveKept } from "./saving.js";
import { fetchJson } from "./server.js";
import { make, setup } from "./setup.js";
import { say } from "./toasts.js";

const AGAIN_MS = 3000;
let stream = null;
let epoch = "";
let version = 0;

/** Load all rows, then listen. */
export async function goLive() {
  try {
    const tree = await fetchJson("api/rows");
    choices.analyses = Object.entries(tree.analyses);
    choices.params = tree.params.map((name) => [name, ""]);
    await loadRows(tree.rows);
    epoch = tree.epoch;
    version = tree.version;
    showService(tree.service);
  } catch (refusal) {
    showConnection(false);
    if (!refusal.isOffline) say(`The rows can't be shown: ${refusal.message}`);
    setTimeout(goLive, AGAIN_MS);
    return;
  }
  listen();
}

function listen() {
  stream?.close();
  stream = new EventSource(`api/events?epoch=${epoch}&version=${version}`);
  stream.addEventListener("open", () => {
    showConnection(true);
    if ([...unsaved.values()].some((kept) => kept.failed)) saveKept();
  });
  stream.addEventListener("rows", (event) => {
    const changes = JSON.parse(event.data);
    version = changes.version;
    dropRows(changes.gone);
    takeRows(changes.rows);
  });
  stream.addEventListener("service", (event) => showService(JSON.parse(event.data).process));
  stream.addEventListener("reload", () => {
    stream.close();
    goLive();
  });
  stream.addEventListener("error", () => {
    showConnection(false);
    // The browser tries again by itself, unless the answer was a refusal.
    if (stream.readyState === EventSource.CLOSED) setTimeout(goLive, AGAIN_MS);
  });
}

// A browser keeps six connections to a place; pages that nobody sees need none.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stream?.close();
  else if (stream?.readyState === EventSource.CLOSED) listen();
});

function showConnection(isThere) {
  const place = document.getElementById("connection");
  place.hidden = isThere;
  place.textContent = isThere ? "" : "Connection lost: what is shown may be old. Trying again…";
}

function showService(process) {
  const place = document.getElementById("service");
  if (process === null) {
    place.className = "stopped";
    place.replaceChildren(
      make("b", { "aria-hidden": "true" }, "○ "),
      "Nothing is computed now. In a terminal, start: ",
      make("code", {}, setup.start),
    );
  } else {
    place.className = "at-work";
    place.replaceChildren(make("b", { "aria-hidden": "true" }, "● "), `Wakeful is at work (process ${process})`);
  }
}
