// Keyboard shortcuts, and the small manners of buttons: copy, and start a thing only once.

import { pick } from "./list.js";

const GO_MS = 1_500;
let goUntil = 0;

const rows = () => [...document.querySelectorAll("tr[data-href]")];
const current = () => document.querySelector("tr.at");

function move(step) {
  const all = rows();
  if (!all.length) {
    document.querySelector(`a[data-key="${step > 0 ? "older" : "newer"}"]`)?.click();
    return;
  }
  const place = all.indexOf(current());
  const next = all[Math.max(0, Math.min(all.length - 1, place < 0 ? 0 : place + step))];
  current()?.classList.remove("at");
  next.classList.add("at");
  next.querySelector("td.wide a")?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function select(event) {
  const box = current()?.querySelector("[data-pick]");
  if (box) pick(box, !box.checked, event.shiftKey);
}

function search() {
  const field = document.querySelector("main [data-key='search']") ?? document.querySelector("[data-key='search']");
  field?.focus();
  field?.select();
}

function retry() {
  const button = document.querySelector("[data-key='retry']");
  if (button && !button.closest("[hidden]")) button.click();
}

const showSheet = () => document.getElementById("keys-sheet")?.showModal();

const KEYS = {
  "/": search,
  "?": showSheet,
  j: () => move(1),
  k: () => move(-1),
  x: select,
  X: select,
  r: retry,
  g: () => {
    goUntil = Date.now() + GO_MS;
  },
};

function isTyping(target) {
  return target.closest("input:not([type='checkbox']), select, textarea, [contenteditable]") !== null;
}

document.addEventListener("keydown", (event) => {
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.key === "Escape" && isTyping(event.target)) event.target.blur();
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const target = Date.now() < goUntil && document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
  goUntil = 0;
  if (target) location.assign(target.href);
  else if (Object.hasOwn(KEYS, event.key)) KEYS[event.key](event);
  else return;
  event.preventDefault();
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-keys-open]")) showSheet();
  const button = event.target.closest("[data-copy], [data-copy-from]");
  if (button) copy(button);
});

async function copy(button) {
  const label = button.getAttribute("aria-label");
  const use = button.querySelector("use");
  const icon = use?.getAttribute("href");
  try {
    await navigator.clipboard.writeText(button.dataset.copy ?? document.getElementById(button.dataset.copyFrom).innerText);
  } catch {
    return; // no permission, or no secure connection: the text can still be selected by hand
  }
  use?.setAttribute("href", icon.replace(/#.*/, "#check"));
  button.dataset.copied = "yes";
  button.setAttribute("aria-label", "Copied");
  setTimeout(() => {
    use?.setAttribute("href", icon);
    delete button.dataset.copied;
    if (label === null) button.removeAttribute("aria-label");
    else button.setAttribute("aria-label", label);
  }, 1_500);
}

// A form that was sent shows it and is not sent twice. Coming back to the page makes it usable again.
document.addEventListener("submit", (event) => {
  if (!event.target.matches("[data-once]")) return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
  for (const button of event.target.querySelectorAll("[type='submit']")) {
    button.classList.add("busy");
    button.setAttribute("aria-disabled", "true");
  }
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[type='submit']")) {
      button.classList.remove("busy");
      button.removeAttribute("aria-disabled");
    }
  }
});
