// The list of jobs: picking rows, the bar that acts on them, and new rows that do not push away what is being read.

import { morph } from "./live.js";
import { writeTimes } from "./times.js";

const AT_TOP_PX = 80;
let anchor = null;

const boxes = () => [...document.querySelectorAll("[data-pick]")];

function update() {
  const all = boxes();
  const picked = all.filter((box) => box.checked);
  for (const box of all) box.closest("tr").classList.toggle("picked", box.checked);
  const bar = document.querySelector("[data-bulk]");
  if (bar) {
    bar.hidden = picked.length === 0;
    bar.querySelector("[data-picked]").textContent = picked.length;
    const matching = bar.querySelector("[data-pick-matching]");
    if (matching) matching.hidden = picked.length < all.length;
  }
  const head = document.querySelector("[data-pick-all]");
  if (head) {
    head.checked = picked.length > 0 && picked.length === all.length;
    head.indeterminate = picked.length > 0 && picked.length < all.length;
  }
  document.dispatchEvent(new CustomEvent("picks:changed"));
}

/** Sets a row's pick; with `range` all rows between the last one and this one. */
export function pick(box, checked, range) {
  const all = boxes();
  const from = range && anchor?.isConnected ? all.indexOf(anchor) : all.indexOf(box);
  const to = all.indexOf(box);
  for (const each of all.slice(Math.min(from, to), Math.max(from, to) + 1)) each.checked = checked;
  anchor = box;
  update();
}

function pickAll(checked) {
  for (const box of boxes()) box.checked = checked;
  update();
}

document.addEventListener("click", (event) => {
  const target = event.target;
  if (target.matches("[data-pick]")) pick(target, target.checked, event.shiftKey);
  else if (target.matches("[data-pick-all]")) pickAll(target.checked);
  else if (target.closest("[data-pick-none]")) pickAll(false);
  else openRow(event);
});

function openRow(event) {
  const row = event.target.closest("tr[data-href]");
  if (!row || event.target.closest("a, button, input, .c-pick") || getSelection().toString()) return;
  if (event.metaKey || event.ctrlKey) window.open(row.dataset.href, "_blank", "noopener");
  else location.assign(row.dataset.href);
}

// Shift and click picks a range; it must not mark text as well.
document.addEventListener("mousedown", (event) => {
  if (event.shiftKey && event.target.closest(".c-pick")) event.preventDefault();
});

/** How many rows of the fresh list come before the row that is first now. */
function newRows(fresh) {
  const first = document.querySelector("#job-table tbody tr")?.id;
  const rows = [...fresh.querySelectorAll("#job-table tbody tr")];
  const place = rows.findIndex((row) => row.id === first);
  return place < 0 ? rows.length : place;
}

/** Brings the rows that are shown up to date where they stand. */
function updateInPlace(fresh) {
  for (const row of fresh.querySelectorAll("#job-table tbody tr")) {
    const shown = document.getElementById(row.id);
    if (shown) morph(shown, row.cloneNode(true));
  }
}

document.querySelector("[data-live='jobs']")?.addEventListener("live:arrived", (event) => {
  const list = document.getElementById("job-list");
  const first = list.dataset.firstPage === "yes";
  const button = document.getElementById("job-fresh");
  if (!button || (first && scrollY < AT_TOP_PX)) return;
  event.preventDefault();
  updateInPlace(event.detail.fresh);
  const n = first ? newRows(event.detail.fresh) : 0;
  if (n > 0) {
    button.lastChild.textContent = ` ${n} new ${n === 1 ? "job" : "jobs"}`;
    button.hidden = false;
  }
});

// Empty filters have no place in the URL; what a form sends goes as it is.
document.addEventListener("htmx:configRequest", (event) => {
  if (event.detail.verb !== "get") return;
  const empty = Array.from(event.detail.formData).filter(([, value]) => value === "");
  for (const [name] of empty) {
    event.detail.formData.delete(name);
  }
});

/** Says that a filter or a page could not be loaded, and offers it again; what is shown stays. */
function sayFailed(event) {
  const note = document.getElementById("job-failed");
  if (!note) return;
  note.hidden = false;
  note.querySelector("a").href = event.detail.pathInfo.finalRequestPath ?? location.href;
}

document.addEventListener("htmx:responseError", sayFailed);
document.addEventListener("htmx:sendError", sayFailed);
document.addEventListener("htmx:afterSettle", update);
document.addEventListener("live:morphed", () => writeTimes());
addEventListener("pageshow", update);
