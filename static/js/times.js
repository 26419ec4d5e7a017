// Writes every <time> in the viewer's zone: relative in lists, of the clock in logs, absolute elsewhere and on hover.

const ABSOLUTE = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  hourCycle: "h23",
});
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23",
});
const RELATIVE = new Intl.RelativeTimeFormat(undefined, { numeric: "always", style: "narrow" });
const STEPS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

function relative(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  if (Math.abs(seconds) < 2) return "now";
  const [unit, size] = STEPS.find(([, length]) => Math.abs(seconds) >= length);
  return RELATIVE.format(Math.trunc(seconds / size), unit);
}

function write(element) {
  if (element.dataset.time === "kept") return; // written in the zone that the page names
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime())) return;
  const absolute = ABSOLUTE.format(at);
  const words = { relative, clock: (when) => CLOCK.format(when) }[element.dataset.time];
  const text = words ? words(at) : absolute;
  if (element.textContent !== text) element.textContent = text;
  if (element.title !== absolute) element.title = absolute;
}

/** Writes the times below `root` anew; for those who put new content into the page. */
export function writeTimes(root = document) {
  for (const element of root.querySelectorAll("time[datetime]")) write(element);
}

/** Tells pages that are made of days in which zone their person is; one that was made for another is asked for again. */
function tellZone() {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const said = `zone=${zone}`;
  if (!zone || document.cookie.split("; ").includes(said)) return;
  document.cookie = `${said}; path=/; max-age=31536000; samesite=lax`;
  const stays = new URLSearchParams(location.search).get("zone");
  if (document.querySelector("[data-zone-wanted]") && !stays && document.cookie.includes(said)) location.reload();
}

tellZone();
writeTimes();
setInterval(() => {
  if (!document.hidden) writeTimes();
}, 5_000);
document.addEventListener("htmx:afterSettle", () => writeTimes());
