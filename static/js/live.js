// Keeps a page as it is on the server: an event says that something changed, the partial is fetched and morphed in.
//
// <div data-live="topic …" data-live-url="…"><div id="…">partial</div></div>; an empty URL means that of the page.
// Nothing moves while rows are selected; while the tab is hidden there is no connection at all.

import { writeTimes } from "./times.js";

// Between two fetches: with what the way from the worker to here takes, the last change shows within a second.
const PAUSE_MS = 600;
const RECONNECT_MS = 5_000;
const root = document.querySelector("[data-live]");
// A page that costs the server more than a list of rows asks less often.
const pauseMs = Number(root?.dataset.livePause) || PAUSE_MS;
const sign = document.getElementById("live-state");
let connected = false;
let failed = false;
let stale = false;
let busy = false;
let lastFetch = 0;
let timer = 0;
let source = null;
let again = 0;

const isHeld = () => document.hidden || document.querySelector("[data-pick]:checked") !== null;

function show() {
  const state = !connected || failed ? "reconnecting" : isHeld() ? "paused" : "live";
  sign.hidden = false;
  if (sign.dataset.state === state) return;
  sign.dataset.state = state;
  sign.title = state;
  sign.firstElementChild.textContent = state;
}

/** Whether a control holds something else than what the page came with. */
function isFilled(control) {
  if (control.type === "hidden") return false;
  if (control instanceof HTMLSelectElement) {
    const initial = [...control.options].findLastIndex((option) => option.defaultSelected);
    return control.selectedIndex !== Math.max(0, initial);
  }
  if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
  return control.defaultValue !== undefined && control.value !== control.defaultValue;
}

/** Whether somebody is at it: what is being filled in or put right, and what is being read closely. */
function isInUse(element) {
  if (element.contains(document.activeElement)) return true;
  if (element instanceof HTMLFormElement) {
    return element.querySelector(".field-error") !== null || [...element.elements].some(isFilled);
  }
  const selection = getSelection();
  const isMarked = !selection.isCollapsed && element.contains(selection.anchorNode);
  return isMarked || element.querySelector("details[open]") !== null;
}

/** A menu that is open is the person's until it is closed; so is what somebody is at. */
const isKept = (element) =>
  element.matches("details[open][data-keep-open]") || (element.matches("[data-keep-filled], [data-keep-read]") && isInUse(element));

/** Idiomorph's settings: what the browser or a script made of an element stays. */
const settings = {
  ignoreActiveValue: true,
  callbacks: {
    beforeNodeMorphed: (old) => !(old instanceof Element && isKept(old)),
    beforeAttributeUpdated(name, element) {
      if (element.tagName === "CANVAS") return name === "data-chart";
      if (element.tagName === "DETAILS") return name !== "open";
      return true;
    },
  },
};

/** Puts the new partial into the place of the old one. */
export function morph(old, fresh) {
  window.Idiomorph.morph(old, fresh, settings);
  window.htmx?.process(root);
  writeTimes(root);
  document.dispatchEvent(new CustomEvent("live:morphed"));
}

async function fetchPartial() {
  const url = root.dataset.liveUrl || location.pathname + location.search;
  const response = await fetch(url, { headers: { "HX-Request": "true" }, cache: "no-store", redirect: "error" });
  const signIn = response.status === 401 && response.headers.get("HX-Redirect");
  if (signIn) location.assign(signIn);
  if (!response.ok) throw new Error(`${response.status}`);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  return page.getElementById(root.firstElementChild.id);
}

async function refresh() {
  timer = 0;
  if (busy || !stale || isHeld()) return;
  busy = true;
  stale = false;
  lastFetch = Date.now();
  const before = location.href;
  try {
    const fresh = await fetchPartial();
    failed = false;
    // Meanwhile the person may have gone elsewhere or selected a row.
    if (!fresh || location.href !== before || isHeld()) stale = true;
    else if (root.dispatchEvent(new CustomEvent("live:arrived", { detail: { fresh }, cancelable: true }))) {
      morph(root.firstElementChild, fresh);
    }
  } catch {
    failed = stale = true;
  }
  busy = false;
  if (stale) plan(failed ? RECONNECT_MS : pauseMs);
  show();
}

function plan(wait = 0) {
  if (timer || busy || isHeld()) return;
  timer = setTimeout(refresh, Math.max(wait, lastFetch + pauseMs - Date.now(), 0));
}

function changed() {
  stale = true;
  plan();
}

/** Opens the stream; not while nobody looks, since every open one costs the server a thread. */
function connect() {
  if (source || document.hidden) return;
  const query = new URLSearchParams({ topics: root.dataset.live.split(" ").join(","), since: sign.dataset.since });
  const opened = new EventSource(`/live?${query}`);
  source = opened;
  const lost = () => {
    connected = false;
    show();
  };
  opened.addEventListener("state", (event) => {
    if (event.data !== "live") return lost();
    // What changed while a connection was lost is not told again; what did before the first one, the server knows.
    if (sign.dataset.state === "reconnecting") changed();
    connected = true;
    return show();
  });
  opened.addEventListener("changed", changed);
  opened.addEventListener("error", () => {
    lost();
    if (opened.readyState !== EventSource.CLOSED || opened !== source) return;
    // Refused, for one because too many pages are open: then this one asks now and again.
    disconnect();
    again = setTimeout(connect, RECONNECT_MS);
    changed();
  });
}

function disconnect() {
  clearTimeout(again);
  source?.close();
  source = null;
  connected = false;
}

/** When the tab comes into sight: what changed meanwhile is not told again, so all of it is asked for. */
function wake() {
  connect();
  changed();
}

function resume() {
  if (connected || failed) show();
  if (stale) plan();
}

if (root) {
  connect();
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : wake()));
  document.addEventListener("picks:changed", resume);
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (event) => {
    if (event.persisted) wake();
  });
}
