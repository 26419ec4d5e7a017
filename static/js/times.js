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

writeTimes();
setInterval(() => {
  if (!document.hidden) writeTimes();
}, 5_000);
document.addEventListener("htmx:afterSettle", () => writeTimes());
