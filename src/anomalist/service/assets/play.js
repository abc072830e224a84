// The playground: a test image, a corruption and its severity, and what the detector makes of it.

const play = { options: null, seen: [], busy: false };

const CHART = { wide: 420, high: 170, left: 48, bottom: 30, top: 8, right: 10 };

window.beginPlayground = async () => {
  play.options = await ask("/playground");
  const { classes, corruptions, detector } = play.options;
  fillOptions(byId("play-class"), Object.keys(classes));
  fillOptions(byId("play-corruption"), corruptions);
  byId("play-about").textContent =
    `The detector ${detector.split(":")[0]} has only seen normal images. The heatmap is bright where the image differs from them. ` +
    "Which corruptions does it notice, from which severity on, and which never?";
  byId("play-corruption").value = corruptions.includes("patch_occlusion") ? "patch_occlusion" : corruptions[0];
  makePanels();
  for (const id of ["play-class", "play-number", "play-corruption"]) {
    byId(id).addEventListener("input", () => {
      play.seen = [];
      look();
    });
  }
  byId("severity").addEventListener("input", look);
  byId("opacity").addEventListener("input", redraw);
  byId("rate").addEventListener("input", redraw);
  await look();
};

function fillOptions(select, names) {
  select.replaceChildren(...names.map((name) => element("option", { value: name, textContent: name })));
}

function makePanels() {
  play.canvases = {};
  const wanted = [["input", "input"], ["reconstruction", "restored"], ["heatmap", "heat"], ["true mask", "truth"], ["predicted mask", "mask"]];
  for (const [title, name] of wanted) {
    const [canvas, figure] = panel(title);
    play.canvases[name] = canvas;
    byId("play-panels").append(figure);
  }
}

// Ask for the image as chosen. While one answer is on its way, only the last choice waits.
async function look() {
  const severity = Number(byId("severity").value);
  byId("severity-text").textContent = severity.toFixed(2);
  if (play.busy) {
    play.again = true;
    return;
  }
  play.busy = true;
  const kind = byId("play-class").value;
  const most = play.options.classes[kind];
  byId("play-number").max = most;
  const number = Math.min(most, Math.max(1, Number(byId("play-number").value) || 1)) - 1;
  const query = new URLSearchParams({ kind, number, corruption: byId("play-corruption").value, severity });
  try {
    play.shown = await ask(`/playground/image?${query}`);
    play.seen = play.seen.filter((one) => one.severity !== severity);
    play.seen.push({ severity, p: play.shown.p_value });
    redraw();
  } catch (error) {
    byId("play-verdict").textContent = error.message;
  }
  play.busy = false;
  if (play.again) {
    play.again = false;
    await look();
  }
}

function redraw() {
  const { shown, canvases } = play;
  if (!shown) return;
  const verdict = verdictAt(shown.p_value);
  const changed = shown.changed ? `${shown.changed} pixels changed` : "nothing changed";
  const mark = verdict === "anomalous" ? "▲ anomalous" : "○ normal";
  byId("play-verdict").className = verdict;
  byId("play-verdict").replaceChildren(
    element("span", { className: "verdict", textContent: mark }),
    ` score ${short(shown.score)}, p ${short(shown.p_value)}; ${changed}`,
  );
  drawImage(canvases.input, shown.input);
  for (const [name, source] of [["restored", shown.restored], ["heat", shown.map], ["mask", shown.map]]) {
    canvases[name].parentElement.hidden = !source;
  }
  if (shown.restored) drawImage(canvases.restored, shown.restored);
  canvases.truth.parentElement.hidden = !shown.truth;
  if (shown.truth) drawImage(canvases.truth, shown.truth);
  if (shown.map) {
    drawHeat(canvases.heat, shown.input, shown.map, session.opacity, 64);
    drawMask(canvases.mask, shown.map, levelAt(play.options.levels, playRate()));
  }
  drawTrace();
}

const playRate = () => (rateNow() === null ? play.options.falseAlarms : rateNow());
const verdictAt = (p) => (p <= playRate() + 1e-12 ? "anomalous" : "normal");

// Draw the p-values that were seen: the lower, the more anomalous; on a logarithmic axis.
function drawTrace() {
  const { wide, high, left, bottom, top, right } = CHART;
  const name = "http://www.w3.org/2000/svg";
  const make = (tag, attributes, text = "") => {
    const one = document.createElementNS(name, tag);
    for (const [key, value] of Object.entries(attributes)) one.setAttribute(key, value);
    one.textContent = text;
    return one;
  };
  const lowest = Math.min(...play.seen.map((one) => one.p), playRate()) / 2;
  const x = (severity) => left + severity * (wide - left - right);
  const y = (p) => high - bottom - (Math.log(p / lowest) / Math.log(1 / lowest)) * (high - bottom - top);
  const chart = make("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": "p-value against severity" });
  chart.append(make("path", { class: "axis", d: `M${left} ${top}V${high - bottom}H${wide - right}` }));
  chart.append(make("line", { class: "rate", x1: left, x2: wide - right, y1: y(playRate()), y2: y(playRate()) }));
  chart.append(make("text", { x: wide - right, y: y(playRate()) - 4, "text-anchor": "end" }, "below: anomalous"));
  chart.append(make("text", { x: x(0.5), y: high - 4, "text-anchor": "middle" }, "severity"));
  for (const share of [0, 0.5, 1]) chart.append(make("text", { x: x(share), y: high - bottom + 14, "text-anchor": "middle" }, String(share)));
  for (const p of [1, playRate()]) chart.append(make("text", { x: left - 5, y: y(p) + 4, "text-anchor": "end" }, short(p)));
  for (const one of play.seen) chart.append(make("circle", { class: verdictAt(one.p), cx: x(one.severity), cy: y(one.p), r: 4 }));
  byId("trace").replaceChildren(chart);
}
