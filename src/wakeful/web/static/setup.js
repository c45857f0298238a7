// What the page was made with: the columns, the words for a tick, who edits.

export const setup = JSON.parse(document.getElementById("setup").textContent);

export const TYPED = setup.columns.filter((column) => column.typed).map((column) => column.name);

const ticks = new Set(setup.ticks);
const noTicks = new Set(setup.noTicks);

/** true, false, or null where the text is neither yes nor no. */
export function readTick(text) {
  const plain = text.trim().toLowerCase();
  if (ticks.has(plain)) return true;
  return noTicks.has(plain) ? false : null;
}

export function titleOf(name) {
  return setup.columns.find((column) => column.name === name)?.title ?? name;
}

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/** An element with text and children; never HTML, since cells hold what anybody typed. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
