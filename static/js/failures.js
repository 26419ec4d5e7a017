// Lists of failures: counts change where they stand, no row moves, and what is not in the list yet is told.

import { morph } from "./live.js";

const root = document.querySelector("[data-live='failures']");
const rowsOf = (page) => [...page.querySelectorAll("tr[data-row]")];

function updateRow(shown, fresh) {
  const row = fresh.cloneNode(true);
  row.classList.toggle("at", shown.classList.contains("at"));
  morph(shown, row);
}

/** Says what somebody would see who asked for the list now. On later pages rows come and go all the time. */
function tell(came, gone) {
  const button = document.getElementById("failures-fresh");
  const n = came || gone;
  button.hidden = n === 0 || root.querySelector("[data-first-page='no']") !== null;
  const nouns = n === 1 ? button.dataset.noun : `${button.dataset.noun}s`;
  button.lastElementChild.textContent = came ? `${n} new ${nouns} — show` : `${n} ${nouns} left this list — show`;
}

root?.addEventListener("live:arrived", (event) => {
  const shown = new Map(rowsOf(root).map((row) => [row.dataset.row, row]));
  if (shown.size === 0) return;
  event.preventDefault();
  const fresh = rowsOf(event.detail.fresh);
  const known = fresh.filter((row) => shown.has(row.dataset.row));
  for (const row of known) updateRow(shown.get(row.dataset.row), row);
  const states = document.getElementById("failure-states");
  const freshStates = event.detail.fresh.querySelector("#failure-states");
  if (states && freshStates) morph(states, freshStates);
  tell(fresh.length - known.length, shown.size - known.length);
});
