// Asking the server for changes, one after the other.

/** What the server, or the way to it, had against a request. */
export class Refusal extends Error {
  constructor(text, { status = 0, kind = "", rows = [] } = {}) {
    super(text);
    this.status = status;
    this.kind = kind;
    this.rows = rows;
  }

  /** Whether the server was not reached: the same request may go through later. */
  get isOffline() {
    return this.status === 0 || this.status >= 502;
  }
}

// Two edits of one cell must arrive in the order they were made.
let last = Promise.resolve();

/** POST; gives the answer's JSON or throws a Refusal. */
export function ask(path, body, type = "application/json") {
  const answer = last.then(() => send(path, body, type));
  last = answer.catch(() => {});
  return answer;
}

async function send(path, body, type) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": type, "X-Wakeful": "1" },
      body: type === "application/json" ? JSON.stringify(body) : body,
    });
  } catch {
    throw new Refusal("the server can't be reached; perhaps `wakeful serve` was stopped");
  }
  return read(response);
}

/** GET; gives the answer's JSON or throws a Refusal. */
export async function fetchJson(path) {
  let response;
  try {
    response = await fetch(path);
  } catch {
    throw new Refusal("the server can't be reached; perhaps `wakeful serve` was stopped");
  }
  return read(response);
}

async function read(response) {
  let tree;
  try {
    tree = await response.json();
  } catch {
    // A proxy that wants a login answers with a page of its own.
    throw new Refusal("something else than the sheet answered; perhaps you are no longer logged in: load the page anew in another tab", { status: 401 });
  }
  if (!response.ok) {
    const said = { status: response.status, kind: tree.kind, rows: tree.rows };
    throw new Refusal(tree.error ?? `the server answered ${response.status}`, said);
  }
  return tree;
}
