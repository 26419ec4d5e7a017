// Draws <canvas data-chart="…"> with Chart.js: jobs by outcome over time. The colours are the tokens of the page.
// Each line has its own dashes as well as its own colour; the last bucket is unfinished and dotted.

const SERIES = [
  { key: "completed", label: "Completed", token: "--completed", dash: [], fill: true },
  { key: "failed", label: "Failed", token: "--failed", dash: [6, 3] },
  { key: "retried", label: "Retried", token: "--retrying", dash: [2, 3] },
  { key: "cancelled", label: "Cancelled", token: "--cancelled", dash: [8, 3, 2, 3] },
];
const DAY_MS = 86_400_000;
const charts = new Map();
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

/** A token as a colour that a canvas understands; a light and dark pair is resolved by the browser. */
function token(name) {
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function faint(colour) {
  return colour.replace("rgb(", "rgba(").replace(")", ", 0.1)");
}

function timeLabels(data) {
  const long = data.at.length * data.grain_ms > DAY_MS;
  const format = new Intl.DateTimeFormat(undefined, {
    ...(long ? { month: "short", day: "numeric" } : {}), hour: "2-digit", minute: "2-digit", hourCycle: "h23",
  });
  return data.at.map((at) => format.format(at));
}

function datasets(data) {
  const last = data.at.length - 1;
  return SERIES.map(({ key, label, token: name, dash, fill }) => {
    const colour = token(name);
    return {
      label, data: data[key], borderColor: colour, backgroundColor: faint(colour), borderDash: dash,
      fill: fill ? "origin" : false, borderWidth: 2, pointRadius: 0, pointHoverRadius: 4, pointHitRadius: 8,
      spanGaps: false,
      segment: { borderDash: (context) => (context.p1DataIndex === last ? [2, 2] : undefined) },
    };
  });
}

function axis(extra) {
  return {
    grid: { color: token("--line"), drawTicks: false }, border: { display: false },
    ticks: { color: token("--ink-3"), padding: 8, maxRotation: 0, ...extra },
  };
}

function options(canvas) {
  return {
    animation: false, responsive: true, maintainAspectRatio: false,
    interaction: { mode: "index", intersect: false },
    onClick: (event, points) => openPoint(canvas, points),
    scales: {
      x: { ...axis({ autoSkipPadding: 24 }), grid: { display: false } },
      y: { ...axis({ precision: 0, maxTicksLimit: 6 }), beginAtZero: true, suggestedMax: 4 },
    },
    plugins: {
      legend: {
        align: "end",
        labels: { color: token("--ink-2"), boxWidth: 34, boxHeight: 0 },
      },
      tooltip: {
        backgroundColor: token("--surface"), titleColor: token("--ink"), bodyColor: token("--ink-2"),
        borderColor: token("--line-strong"), borderWidth: 1, padding: 10, usePointStyle: true,
      },
    },
  };
}

/** The jobs behind a point: those enqueued in its bucket. */
function openPoint(canvas, points) {
  if (!points.length) return;
  const data = JSON.parse(canvas.dataset.chart);
  const from = new Date(data.at[points[0].index]);
  const until = new Date(from.getTime() + data.grain_ms);
  const query = new URLSearchParams({ after: from.toISOString(), before: until.toISOString() });
  location.assign(`${canvas.dataset.jobsUrl}?${query}`);
}

function draw(canvas) {
  const data = JSON.parse(canvas.dataset.chart);
  const content = { labels: timeLabels(data), datasets: datasets(data) };
  const drawn = charts.get(canvas);
  if (!drawn) {
    window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    charts.set(canvas, new window.Chart(canvas, { type: "line", data: content, options: options(canvas) }));
    return;
  }
  drawn.data.labels = content.labels;
  content.datasets.forEach((set, i) => Object.assign(drawn.data.datasets[i], set)); // keeps what the legend hides
  drawn.options = options(canvas);
  drawn.update("none");
}

function drawAll() {
  for (const [canvas, chart] of charts) {
    if (!canvas.isConnected) {
      chart.destroy();
      charts.delete(canvas);
    }
  }
  for (const canvas of document.querySelectorAll("canvas[data-chart]")) draw(canvas);
}

drawAll();
document.addEventListener("live:morphed", drawAll);
document.addEventListener("theme:changed", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
