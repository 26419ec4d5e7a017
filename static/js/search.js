// Completes what is typed into the search box: a combobox after the ARIA pattern, with a list below the box.
// The server knows what there is; without this script the box simply submits.

const WAIT_MS = 60;
const list = document.createElement("ul");
const told = document.createElement("div");
let box = null; // that the list belongs to
let found = null; // the last answer
let active = -1;
let timer = 0;
let asked = null;

list.id = "search-options";
list.className = "suggestions";
list.setAttribute("role", "listbox");
list.setAttribute("aria-label", "Suggestions");
list.hidden = true;
told.className = "visually-hidden";
told.setAttribute("role", "status");

const isBox = (element) => element instanceof HTMLInputElement && element.dataset.complete !== undefined;

/** Says to screen readers what the box is; again after each morph, since the server does not know of it. */
function describe() {
  const input = document.querySelector("[data-complete]");
  if (!input) return;
  if (!list.isConnected) document.querySelector("main").append(list, told); // beside what is morphed
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-controls", list.id);
  input.setAttribute("aria-expanded", String(!list.hidden && box === input));
  if (active >= 0 && !list.hidden) input.setAttribute("aria-activedescendant", `search-option-${active}`);
  else input.removeAttribute("aria-activedescendant");
}

function close() {
  clearTimeout(timer);
  asked?.abort();
  list.hidden = true;
  active = -1;
  describe();
}

function place() {
  const at = box.getBoundingClientRect();
  list.style.left = `${at.left + scrollX}px`;
  list.style.top = `${at.bottom + scrollY + 4}px`;
  list.style.width = `${at.width}px`;
}

function show() {
  list.replaceChildren(
    ...found.options.map((option, n) => {
      const item = document.createElement("li");
      const text = document.createElement("span");
      const note = document.createElement("span");
      item.id = `search-option-${n}`;
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      text.className = "mono";
      text.textContent = option.text;
      note.className = "quiet";
      note.textContent = option.note;
      item.append(text, note);
      return item;
    }),
  );
  active = -1;
  list.hidden = found.options.length === 0;
  if (!list.hidden) place();
  told.textContent = list.hidden ? "" : `${found.options.length} suggestions`;
  describe();
}

function move(step) {
  const items = [...list.children];
  items[active]?.setAttribute("aria-selected", "false");
  // One place more than there are options: back in the box.
  active = ((active + 1 + step + items.length + 1) % (items.length + 1)) - 1;
  items[active]?.setAttribute("aria-selected", "true");
  items[active]?.scrollIntoView({ block: "nearest" });
  describe();
}

async function ask() {
  const input = box;
  asked?.abort();
  asked = new AbortController();
  const query = new URLSearchParams({ q: input.value, at: input.selectionStart ?? input.value.length });
  try {
    const response = await fetch(`${input.dataset.complete}?${query}`, { signal: asked.signal });
    if (!response.ok) return;
    const answer = await response.json();
    if (document.activeElement !== input || input !== box) return;
    found = answer;
    show();
  } catch {
    // Aborted by the next letter, or no connection: then nothing is offered.
  }
}

function plan() {
  clearTimeout(timer);
  timer = setTimeout(ask, WAIT_MS);
}

function take(n) {
  const option = found.options[n];
  const isOpen = option.text.endsWith(":") || option.text.endsWith(".");
  const after = box.value.slice(found.end).trimStart();
  const text = option.text + (isOpen ? "" : " ");
  box.value = box.value.slice(0, found.begin) + text + after;
  box.setSelectionRange(found.begin + text.length, found.begin + text.length);
  close();
  box.focus();
  if (isOpen) plan();
}

const KEYS = {
  ArrowDown: () => (list.hidden ? plan() : move(1)),
  ArrowUp: () => (list.hidden ? plan() : move(-1)),
  Enter: () => active >= 0 && (take(active), true),
  Tab: () => active >= 0 && (take(active), true),
  Escape: () => close(),
};

document.addEventListener(
  "keydown",
  (event) => {
    if (!isBox(event.target) || !Object.hasOwn(KEYS, event.key) || event.isComposing) return;
    if (list.hidden && !event.key.startsWith("Arrow")) return;
    if (KEYS[event.key]() === false) {
      close();
      return;
    }
    event.preventDefault();
    event.stopPropagation(); // Escape would leave the box as well
  },
  true,
);

document.addEventListener("input", (event) => {
  if (!isBox(event.target)) return;
  box = event.target;
  describe();
  plan();
});

document.addEventListener("focusin", (event) => {
  if (isBox(event.target)) box = event.target;
  else close();
});

list.addEventListener("mousedown", (event) => event.preventDefault()); // the box keeps the focus
list.addEventListener("click", (event) => {
  const item = event.target.closest("li");
  if (item) take([...list.children].indexOf(item));
});

document.addEventListener("click", (event) => {
  if (!isBox(event.target) && !list.contains(event.target)) close();
});
document.addEventListener("submit", close);

// A menu closes when one goes elsewhere, and with Escape.
const menus = () => [...document.querySelectorAll("details[data-drop][open]")];
document.addEventListener("click", (event) => {
  for (const menu of menus()) menu.open = menu.contains(event.target);
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of menus()) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("htmx:afterSettle", describe);
document.addEventListener("live:morphed", describe);
addEventListener("resize", close);
describe();
