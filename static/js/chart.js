// Draws <canvas data-chart="…"> with Chart.js: jobs by outcome over time. The colours are the tokens of the page.
// Each line has its own dashes as well as its own colour; the last bucket is unfinished and dotted. Where nobody
// recorded (null), there is no line, and the ground is hatched; so it is where an observed application was missed. The legend hides a series; the address remembers it.

const SERIES = [
  { key: "completed", label: "Completed", token: "--completed", dash: [], fill: true },
  { key: "failed", label: "Failed", token: "--failed", dash: [6, 3] },
  { key: "retried", label: "Retried", token: "--retrying", dash: [2, 3] },
  { key: "cancelled", label: "Cancelled", token: "--cancelled", dash: [8, 3, 2, 3] },
];
const HATCH_PX = 8;
/** Right of the last point, which stands on the edge: without it the point cannot be hit. */
const EDGE_PX = 8;
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

const hidden = () => new Set((new URLSearchParams(location.search).get("hide") ?? "").split(",").filter(Boolean));

/** Shows or hides a series, here and in the address, so that it stays when the page comes again or is passed on. */
function toggle(key) {
  const now = hidden();
  if (!now.delete(key)) now.add(key);
  const url = new URL(location.href);
  if (now.size) url.searchParams.set("hide", [...now].join(","));
  else url.searchParams.delete("hide");
  history.replaceState(history.state, "", url);
  for (const link of document.querySelectorAll("[data-range]")) {
    const target = new URL(link.href);
    if (now.size) target.searchParams.set("hide", [...now].join(","));
    else target.searchParams.delete("hide");
    link.href = target;
  }
}

/** Hatches the stretches in which nobody recorded or something was missed, so that a gap is not taken for nothing having happened. */
const gaps = {
  id: "gaps",
  beforeDatasetsDraw({ ctx, chartArea, scales, data, canvas }) {
    const { incomplete = [] } = JSON.parse(canvas.dataset.chart);
    const values = data.datasets[0].data;
    const step = values.length > 1 ? scales.x.getPixelForValue(1) - scales.x.getPixelForValue(0) : chartArea.width;
    ctx.save();
    ctx.strokeStyle = token("--line");
    ctx.beginPath();
    ctx.rect(chartArea.left, chartArea.top, chartArea.width, chartArea.height);
    ctx.clip();
    ctx.beginPath();
    for (let i = 0; i < values.length; i += 1) {
      if (values[i] !== null && !incomplete[i]) continue;
      const left = scales.x.getPixelForValue(i) - step / 2;
      const first = Math.ceil((left - chartArea.height) / HATCH_PX) * HATCH_PX;
      for (let x = first; x < left + step; x += HATCH_PX) hatch(ctx, chartArea, x, left, left + step);
    }
    ctx.stroke();
    ctx.restore();
  },
};

/** Marks when which version went live: a line with its name above, as long as the names do not run into each other. */
const deployMarks = {
  id: "deploys",
  afterDatasetsDraw({ ctx, chartArea: { left, right, top, bottom }, scales, canvas }) {
    const data = JSON.parse(canvas.dataset.chart);
    ctx.save();
    ctx.strokeStyle = token("--ink-3");
    ctx.font = `11px ${window.Chart.defaults.font.family}`;
    ctx.setLineDash([1, 3]);
    let free = left;
    for (const { at, version } of data.deploys ?? []) {
      // A bucket's point stands where the bucket begins.
      const x = Math.min(right, scales.x.getPixelForValue(0) + pixelsPerBucket(scales.x) * ((at - data.at[0]) / data.grain_ms));
      if (x < left) continue;
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, bottom);
      ctx.stroke();
      const text = version.length > 16 ? `${version.slice(0, 15)}…` : version;
      const width = ctx.measureText(text).width;
      const begin = Math.min(x + 4, right - width);
      if (begin < free) continue;
      // The name stands on a ground that pales a line running through it, but does not hide it.
      ctx.globalAlpha = 0.75;
      ctx.fillStyle = token("--surface");
      ctx.fillRect(begin - 2, top, width + 4, 14);
      ctx.globalAlpha = 1;
      ctx.fillStyle = token("--ink-2");
      ctx.fillText(text, begin, top + 10);
      free = begin + width + 8;
    }
    ctx.restore();
  },
};

const pixelsPerBucket = (scale) => scale.getPixelForValue(1) - scale.getPixelForValue(0);

/** One slanting line that begins at x at the bottom, cut to what lies from left to right. */
function hatch(ctx, { top, bottom }, x, left, right) {
  const from = Math.max(x, left);
  const to = Math.min(x + bottom - top, right);
  if (from >= to) return;
  ctx.moveTo(from, bottom - (from - x));
  ctx.lineTo(to, bottom - (to - x));
}

function datasets(data) {
  const last = data.at.length - 1;
  const without = hidden();
  return SERIES.filter(({ key }) => data[key]).map(({ key, label, token: name, dash, fill }) => {
    const colour = token(name);
    return {
      key, label, data: data[key], hidden: without.has(key),
      borderColor: colour, backgroundColor: faint(colour), borderDash: dash,
      fill: fill ? "origin" : false, borderWidth: 2, pointHoverRadius: 4, pointHitRadius: 8,
      pointRadius: (context) => (isAlone(data[key], context.dataIndex) ? 2 : 0),
      spanGaps: false,
      segment: { borderDash: (context) => (context.p1DataIndex === last ? [2, 2] : undefined) },
    };
  });
}

/** A point between two gaps would have no line to be seen by. */
function isAlone(values, i) {
  return values[i] !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;
}

function axis(extra) {
  return {
    grid: { color: token("--line"), drawTicks: false }, border: { display: false },
    ticks: { color: token("--ink-3"), padding: 8, maxRotation: 0, ...extra },
  };
}

function options(canvas) {
  return {
    animation: false, responsive: true, maintainAspectRatio: false, layout: { padding: { right: EDGE_PX } },
    interaction: { mode: "index", intersect: false },
    onClick: (event, points, chart) =>
      openPoint(canvas, points, chart.getElementsAtEventForMode(event, "nearest", { intersect: true }, true)),
    scales: {
      x: { ...axis({ autoSkipPadding: 24 }), grid: { display: false } },
      y: { ...axis({ precision: 0, maxTicksLimit: 6 }), beginAtZero: true, suggestedMax: 4 },
    },
    plugins: {
      legend: {
        align: "end",
        labels: { color: token("--ink-2"), boxWidth: 34, boxHeight: 0 },
        onClick: (_event, item, legend) => {
          const set = legend.chart.data.datasets[item.datasetIndex];
          set.hidden = !set.hidden;
          toggle(set.key);
          legend.chart.update("none");
        },
      },
      tooltip: {
        backgroundColor: token("--surface"), titleColor: token("--ink"), bodyColor: token("--ink-2"),
        borderColor: token("--line-strong"), borderWidth: 1, padding: 10, usePointStyle: true,
        footerColor: token("--ink-2"), footerFont: { weight: "normal" },
        callbacks: { footer: (points) => noteOf(canvas, points) },
      },
    },
  };
}

/** What was missed in a bucket, in short lines. */
function noteOf(canvas, points) {
  if (!points.length) return "";
  const data = JSON.parse(canvas.dataset.chart);
  const from = data.at[points[0].dataIndex];
  const deploys = (data.deploys ?? []).filter(({ at }) => at >= from && at < from + data.grain_ms);
  const said = data.incomplete?.[points[0].dataIndex];
  return [...deploys.map(({ version }) => `deploy ${version}`), ...(said ? said.split(/[;,] /) : [])];
}

const STATES = { completed: "COMPLETED", failed: "FAILED", cancelled: "CANCELLED" };

/** The jobs behind a point: those enqueued in its bucket, and when a line itself was hit, those of its state. */
function openPoint(canvas, points, hit) {
  if (!points.length) return;
  const data = JSON.parse(canvas.dataset.chart);
  const from = new Date(data.at[points[0].index]);
  const until = new Date(from.getTime() + data.grain_ms);
  const query = new URLSearchParams({ after: from.toISOString(), before: until.toISOString() });
  const state = hit.length === 1 && STATES[charts.get(canvas).data.datasets[hit[0].datasetIndex].key];
  if (state) query.set("state", state);
  const address = canvas.dataset.jobsUrl;
  location.assign(`${address}${address.includes("?") ? "&" : "?"}${query}`);
}

function draw(canvas) {
  const data = JSON.parse(canvas.dataset.chart);
  const content = { labels: timeLabels(data), datasets: datasets(data) };
  const drawn = charts.get(canvas);
  if (!drawn) {
    window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    const config = { type: "line", data: content, options: options(canvas), plugins: [gaps, deployMarks] };
    charts.set(canvas, new window.Chart(canvas, config));
    return;
  }
  drawn.data.labels = content.labels;
  content.datasets.forEach((set, i) => Object.assign(drawn.data.datasets[i], set));
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
