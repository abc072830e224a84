// The report: everything follows from the position of the slider and the filters.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const isLabelled = data.kinds.some((kind) => kind.isAnomaly !== null);
const state = { score: 0, position: 0, kind: "", low: null, high: null, opacity: 0.7, zoomed: 0 };

const scoreOf = () => data.scores[state.score];
const thresholdOf = () => scoreOf().thresholds[state.position];
const valueOf = (image) => image.s[state.score].v;
const isCalled = (image) => valueOf(image) > thresholdOf();
const hasVerdict = () => scoreOf().hasThreshold || isLabelled;

function verdictOf(image) {
  return isCalled(image) ? "anomalous" : "normal";
}

function truthOf(image) {
  const kind = data.kinds[image.k];
  if (kind.isAnomaly === null) return "";
  if (kind.isAnomaly) return isCalled(image) ? ", detected" : ", missed";
  return isCalled(image) ? ", false alarm" : "";
}

// Return the positions of the kinds that are normal, or anomalous as chosen.
function normalKinds() {
  return data.kinds.map((kind, place) => place).filter((place) => data.kinds[place].isAnomaly === false);
}
function chosenKinds() {
  if (state.kind !== "") return [Number(state.kind)];
  const places = data.kinds.map((kind, place) => place);
  return places.filter((place) => !data.kinds[place].isUnion && data.kinds[place].isAnomaly !== false);
}

const imagesOf = (kinds) => kinds.reduce((sum, place) => sum + data.kinds[place].images, 0);
const aboveOf = (kinds, position) => kinds.reduce((sum, place) => sum + scoreOf().above[place][position], 0);

function binsOf(kinds) {
  const total = new Array(scoreOf().edges.length - 1).fill(0);
  for (const place of kinds) scoreOf().bins[place].forEach((count, bin) => (total[bin] += count));
  return total;
}

// Panels of an image: [title, name of the drawing].
function panelsOf() {
  const has = (test) => data.images.some(test);
  const shown = [];
  if (has((image) => image.i)) shown.push(["input", "input"]);
  if (has((image) => image.s[state.score].r)) shown.push(["reconstruction", "restored"]);
  if (has((image) => image.s[state.score].m)) shown.push(["heatmap", "heat"]);
  if (has((image) => image.t)) shown.push(["true mask", "truth"]);
  if (has((image) => image.s[state.score].m) && scoreOf().levels) shown.push(["predicted mask", "mask"]);
  else if (has((image) => image.s[state.score].k)) shown.push(["predicted mask (saved rate)", "fixed"]);
  return shown;
}
let panels = [];

function drawPanel(canvas, name, image) {
  const own = image.s[state.score];
  const source = { input: image.i, restored: own.r, heat: own.m, truth: image.t, mask: own.m, fixed: own.k }[name];
  canvas.classList.toggle("missing", !source && name !== "truth" && name !== "fixed");
  if (!source) return;
  if (name === "heat") drawHeat(canvas, image.i, own.m, state.opacity, data.levels);
  else if (name === "mask") drawMask(canvas, own.m, scoreOf().levels[state.position]);
  else drawImage(canvas, source);
}

function drawCard(card, image, side) {
  if (!card.firstChild) {
    const row = element("div", { className: "row" });
    for (const [title, name] of panels) {
      const canvas = element("canvas", { className: "panel", title });
      canvas.dataset.name = name;
      canvas.style.width = canvas.style.height = `${side}px`;
      row.append(canvas);
    }
    card.append(row, element("div", { className: "name", title: image.n }), element("div"), element("div", { className: "name" }));
  }
  for (const canvas of card.querySelectorAll("canvas")) drawPanel(canvas, canvas.dataset.name, image);
  const kind = data.kinds[image.k].name;
  const verdict = hasVerdict() ? verdictOf(image) : "";
  card.classList.toggle("anomalous", verdict === "anomalous");
  card.classList.toggle("normal", verdict === "normal");
  const [, name, line, last] = card.children;
  name.textContent = image.n;
  const mark = { anomalous: "▲ anomalous", normal: "○ normal" }[verdict] || "";
  line.replaceChildren(element("span", { className: "verdict", textContent: mark }), ` ${short(valueOf(image))}`);
  last.textContent = kind;
  card.setAttribute("aria-label", `${image.n}, ${kind}, score ${short(valueOf(image))}, ${verdict}${truthOf(image)}`);
}

const gallery = data.scores.length ? new Gallery(byId("list"), drawCard, openZoom) : null;

function filtered() {
  const text = byId("text").value.toLowerCase();
  const kind = byId("filter-kind").value;
  const verdict = byId("verdict").value;
  const chosen = data.images.filter((image) => {
    if (text && !image.n.toLowerCase().includes(text)) return false;
    if (kind !== "" && image.k !== Number(kind)) return false;
    if (verdict && verdictOf(image) !== verdict) return false;
    return state.low === null || (valueOf(image) >= state.low && valueOf(image) <= state.high);
  });
  const distance = (image) => Math.abs(valueOf(image) - thresholdOf());
  const orders = {
    high: (a, b) => valueOf(b) - valueOf(a),
    low: (a, b) => valueOf(a) - valueOf(b),
    near: (a, b) => distance(a) - distance(b),
    name: (a, b) => a.n.localeCompare(b.n),
  };
  return chosen.sort(orders[byId("sort").value]);
}

function showGallery() {
  const images = filtered();
  gallery.show(images, panels.length || 1);
  const range = state.low === null ? "" : ` with a score from ${short(state.low)} to ${short(state.high)}`;
  byId("shown").textContent = `${images.length.toLocaleString("en")} of ${data.images.length.toLocaleString("en")} images${range}`;
  byId("all").hidden = state.low === null;
  const titles = panels.map(([title]) => title).join(", ");
  byId("panels").textContent = panels.length ? `Panels of each image, from left to right: ${titles}.` : "";
}

function cells(tag, values) {
  const row = element("tr");
  values.forEach((value, place) => {
    const cell = element(tag === "td" && place === 0 ? "th" : tag, { textContent: value });
    if (cell.tagName === "TH") cell.scope = tag === "th" ? "col" : "row";
    row.append(cell);
  });
  return row;
}

function fill(table, head, rows) {
  table.tHead.replaceChildren(cells("th", head));
  table.tBodies[0].replaceChildren(...rows.map((row) => cells("td", row)));
}

function showCounts() {
  const { position } = state;
  const format = (count) => count.toLocaleString("en");
  const groups = isLabelled ? [["normal", normalKinds()], ["anomalous", chosenKinds()]] : [["all", chosenKinds()]];
  const rows = groups.map(([name, kinds]) => {
    const all = imagesOf(kinds), called = aboveOf(kinds, position);
    return [`${name} images`, format(all - called), format(called), percent(called, all)];
  });
  fill(byId("confusion"), ["", "called normal", "called anomalous", "share called anomalous"], rows);
  const ofKind = data.kinds.map((kind, place) => {
    const called = scoreOf().above[place][position];
    return [kind.name, format(kind.images), format(called), percent(called, kind.images)];
  });
  fill(byId("by-kind"), ["kind", "images", "called anomalous", "share"], ofKind);
  const threshold = thresholdOf();
  const rate = scoreOf().rates ? scoreOf().rates[position] : null;
  let text = `score above ${short(threshold)}`;
  if (scoreOf().isPValue) text = `p below ${short(10 ** -threshold)}`;
  if (rate !== null) text += `; ${(100 * rate).toPrecision(2)} % false alarms expected`;
  byId("value").textContent = text;
  byId("slider").setAttribute("aria-valuetext", text);
  byId("counts").textContent = sentence(rows);
}

function sentence(rows) {
  if (!isLabelled) return `${rows[0][2]} images are called anomalous (${rows[0][3]}).`;
  const [normal, anomalous] = rows;
  return `${anomalous[2]} anomalies are detected (${anomalous[3]}); ${normal[2]} false alarms (${normal[3]} of normal images).`;
}

function showCharts() {
  const score = scoreOf();
  const normal = normalKinds(), chosen = chosenKinds();
  const groups = [];
  if (normal.length) groups.push({ name: "normal", className: "normal", bins: binsOf(normal), total: imagesOf(normal) });
  if (chosen.length) {
    const name = isLabelled ? "anomalous" : "images";
    groups.push({ name, className: isLabelled ? "anomalous" : "normal", bins: binsOf(chosen), total: imagesOf(chosen) });
  }
  histogram(byId("histogram"), score, groups, thresholdOf(), (low, high) => pickRange(low, high));
  if (!isLabelled) return;
  const negatives = imagesOf(normal), positives = imagesOf(chosen);
  const decades = Math.max(1, Math.ceil(Math.log10(Math.max(10, negatives))));
  const roc = [], precision = [];
  score.thresholds.forEach((threshold, place) => {
    const alarms = aboveOf(normal, place), hits = aboveOf(chosen, place);
    const rate = Math.max(alarms / negatives, 10 ** -decades);
    roc.push([1 + Math.log10(rate) / decades, hits / positives]);
    precision.push(alarms + hits ? [hits / positives, hits / (alarms + hits)] : null);
  });
  const ticks = Array.from({ length: decades + 1 }, (_, place) => [1 - place / decades, short(10 ** -place)]);
  const linear = [[0, "0"], [0.5, "0.5"], [1, "1"]];
  curve(byId("roc"), "ROC curve", "false-positive rate", "true-positive rate", ticks, roc, state.position, pickPosition);
  curve(byId("precision"), "Precision-recall curve", "recall", "precision", linear, precision, state.position, pickPosition);
}

function pickRange(low, high) {
  [state.low, state.high] = [low, high];
  showGallery();
  byId("gallery").scrollIntoView({ block: "start" });
}

// Set the threshold, and show the images whose scores are nearest to it.
function pickPosition(position) {
  state.position = position;
  byId("slider").value = position;
  const near = data.images.map(valueOf).sort((a, b) => Math.abs(a - thresholdOf()) - Math.abs(b - thresholdOf())).slice(0, 24);
  [state.low, state.high] = [Math.min(...near), Math.max(...near)];
  showThreshold();
  pickRange(state.low, state.high);
}

function showThreshold() {
  showCounts();
  showCharts();
  if (byId("verdict").value || byId("sort").value === "near") showGallery();
  else gallery.refresh();
  if (byId("zoom").open) drawZoom();
}

function chooseScore(number) {
  state.score = number;
  state.position = scoreOf().start;
  byId("slider").max = scoreOf().thresholds.length - 1;
  byId("slider").value = state.position;
  byId("reset").hidden = !scoreOf().hasThreshold;
  panels = panelsOf();
  [state.low, state.high] = [null, null];
  showGallery();
  showThreshold();
}

function openZoom(index) {
  state.zoomed = index;
  drawZoom();
  if (!byId("zoom").open) byId("zoom").showModal();
}

function drawZoom() {
  const image = gallery.images[state.zoomed];
  const own = image.s[state.score];
  byId("zoom-title").textContent = image.n;
  const verdict = hasVerdict() ? `; ${verdictOf(image)}${truthOf(image)}` : "";
  const p = own.p === null || own.p === undefined ? "" : `, p ${short(own.p)}`;
  byId("zoom-text").textContent = `${data.kinds[image.k].name}; score ${short(own.v)}${p}${verdict}`;
  const figures = panels.map(([title, name]) => {
    const canvas = element("canvas", { className: "panel" });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", title);
    drawPanel(canvas, name, image);
    return element("figure", {}, canvas, element("figcaption", { textContent: title }));
  });
  byId("zoom-panels").replaceChildren(...figures);
}

function step(by) {
  const last = gallery.images.length - 1;
  state.zoomed = Math.max(0, Math.min(last, state.zoomed + by));
  gallery.move(state.zoomed);
  drawZoom();
}

function setOpacity(value) {
  state.opacity = Number(value);
  byId("opacity").value = byId("zoom-opacity").value = value;
  gallery.refresh();
  if (byId("zoom").open) for (const canvas of byId("zoom-panels").querySelectorAll("canvas")) {
    if (canvas.getAttribute("aria-label") === "heatmap") drawPanel(canvas, "heat", gallery.images[state.zoomed]);
  }
}

function options(select, entries) {
  select.replaceChildren(...entries.map(([value, textContent]) => element("option", { value, textContent })));
}

function begin() {
  const scores = data.scores.map((score, place) => [place, score.label]);
  options(byId("score"), scores);
  byId("score").parentElement.hidden = scores.length < 2;
  const kinds = data.kinds.map((kind, place) => [place, kind.name]);
  const anomalous = kinds.filter(([place]) => data.kinds[place].isAnomaly !== false);
  options(byId("kind"), [["", isLabelled ? "all anomalies" : "all images"], ...anomalous]);
  options(byId("filter-kind"), [["", "any"], ...kinds.filter(([place]) => !data.kinds[place].isUnion)]);
  for (const one of document.querySelectorAll(".labelled")) one.hidden = !isLabelled;
  byId("score").addEventListener("change", (event) => chooseScore(Number(event.target.value)));
  byId("kind").addEventListener("change", (event) => {
    state.kind = event.target.value;
    showCounts();
    showCharts();
  });
  let waiting = false;
  byId("slider").addEventListener("input", (event) => {
    state.position = Number(event.target.value);
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      showThreshold();
    });
  });
  byId("reset").addEventListener("click", () => {
    state.position = scoreOf().start;
    byId("slider").value = state.position;
    showThreshold();
  });
  for (const id of ["text", "filter-kind", "verdict", "sort"]) byId(id).addEventListener("input", showGallery);
  byId("all").addEventListener("click", () => {
    [state.low, state.high] = [null, null];
    showGallery();
  });
  for (const id of ["opacity", "zoom-opacity"]) byId(id).addEventListener("input", (event) => setOpacity(event.target.value));
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("close").addEventListener("click", () => byId("zoom").close());
  byId("zoom").addEventListener("close", () => byId("list").focus());
  document.addEventListener("keydown", (event) => {
    const isSlider = event.target.type === "range";
    if (byId("zoom").open && !isSlider && event.key === "ArrowRight") step(1);
    else if (byId("zoom").open && !isSlider && event.key === "ArrowLeft") step(-1);
    else if (event.key === "Escape" && !byId("zoom").open && state.low !== null) byId("all").click();
  });
  chooseScore(0);
}

byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
});
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
if (data.scores.length) begin();
