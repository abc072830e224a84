// The page: send images, and draw what the model says about them.

const byId = (id) => document.getElementById(id);
const session = { model: null, items: [], opacity: 0.7, token: sessionStorage.getItem("token") || "" };

async function ask(address, options = {}) {
  const headers = session.token ? { Authorization: `Bearer ${session.token}` } : {};
  const response = await fetch(address, { ...options, headers: { ...headers, ...options.headers } });
  if (response.ok) return response.json();
  let detail = response.statusText;
  try {
    detail = (await response.json()).detail || detail;
  } catch (error) {
    // the answer has no JSON
  }
  throw new Error(Array.isArray(detail) ? detail.join("; ") : String(detail));
}

// The rate of the slider, which moves over the rates that the calibration supports.
function rateNow() {
  const rates = session.rates;
  return rates.length ? rates[Number(byId("rate").value)] : null;
}

function ratesOf(model) {
  if (model.false_alarms === null) return [];
  const lowest = 1 / (model.calibration_images + 1);
  const steps = Array.from({ length: 61 }, (_, place) => 0.5 * (lowest / 0.5) ** (place / 60));
  const all = [...new Set([...steps.filter((rate) => rate >= lowest && rate < 1), model.false_alarms])];
  return all.sort((a, b) => b - a);
}

// Return the lowest level of marked pixels at the rate; level 64 marks no pixel.
function levelAt(levels, rate) {
  let level = 64;
  let nearest = Infinity;
  for (const [known, lowest] of levels) {
    const distance = Math.abs(Math.log(known / rate));
    if (distance < nearest) [nearest, level] = [distance, lowest];
  }
  return level;
}

async function loadModel() {
  try {
    const model = await ask("/model");
    session.model = model;
    session.rates = ratesOf(model);
    byId("rate").max = Math.max(0, session.rates.length - 1);
    byId("rate").value = Math.max(0, session.rates.indexOf(model.false_alarms));
    byId("rate").disabled = !session.rates.length;
    const rate = model.false_alarms === null ? "no calibration, so no verdict" : `${model.calibration_images.toLocaleString("en")} normal images set its thresholds`;
    byId("model").textContent = `Model: ${model.detector.split(":")[0]}, fitted on ${model.training.folder} (${model.training.images.toLocaleString("en")} normal images); ${rate}.`;
    showRate();
    if (window.beginPlayground) await window.beginPlayground();
  } catch (error) {
    byId("model").textContent = `The model could not be loaded: ${error.message}`;
  }
}

function showRate() {
  const rate = rateNow();
  byId("rate-text").textContent = rate === null ? "no calibration" : `${short(100 * rate)} % of normal images`;
  byId("rate").setAttribute("aria-valuetext", byId("rate-text").textContent);
  session.items.forEach(drawItem);
}

function verdictOf(pValue) {
  const rate = rateNow();
  if (pValue === null || pValue === undefined || rate === null) return "";
  return pValue <= rate + 1e-12 ? "anomalous" : "normal";
}

function panel(title) {
  const canvas = element("canvas", { className: "panel" });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", title);
  return [canvas, element("figure", {}, canvas, element("figcaption", { textContent: title }))];
}

// Draw or redraw one image of the session.
function drawItem(item) {
  const { result, place } = item;
  const verdict = verdictOf(result.p_value);
  place.className = result.fault ? "fault" : verdict;
  const mark = { anomalous: "▲ anomalous", normal: "○ normal" }[verdict] || (result.fault ? "cannot be read" : "");
  const p = result.p_value === undefined ? "" : `, p ${short(result.p_value)}`;
  const text = result.fault ? result.fault : `score ${short(result.score)}${p}; ${result.width} x ${result.height} pixels`;
  item.title.replaceChildren(element("span", { className: "verdict", textContent: mark }), ` ${result.file}: ${text}`);
  const shown = result.pictures;
  if (!shown) return;
  if (!item.canvases) {
    const wanted = [["input", "input"], ["reconstruction", "restored"], ["heatmap", "heat"], ["predicted mask", "mask"]];
    item.canvases = {};
    const row = element("div", { className: "row" });
    for (const [title, name] of wanted) {
      if (!(name === "heat" || name === "mask" ? shown.map : shown[name])) continue;
      const [canvas, figure] = panel(title);
      item.canvases[name] = canvas;
      row.append(figure);
    }
    place.append(row);
    if (shown.input) drawImage(item.canvases.input, shown.input);
    if (shown.restored) drawImage(item.canvases.restored, shown.restored);
  }
  if (!shown.map) return;
  drawHeat(item.canvases.heat, shown.input, shown.map, session.opacity, 64);
  const { levels } = session.model;
  if (levels.length && rateNow() !== null) drawMask(item.canvases.mask, shown.map, levelAt(levels, rateNow()));
  else if (shown.mask) drawImage(item.canvases.mask, shown.mask);
}

function add(result) {
  const place = element("li"), title = element("p");
  place.append(title);
  byId("results").prepend(place);
  const item = { result, place, title };
  session.items.push(item);
  drawItem(item);
}

// Send files, a few at a time, and show each answer as it comes.
async function send(files) {
  const waiting = [...files];
  let done = 0;
  const total = waiting.length;
  const worker = async () => {
    while (waiting.length) {
      const file = waiting.shift();
      add(await scored(file));
      done += 1;
      byId("status").textContent = `Scored ${done} of ${total} images.`;
    }
  };
  await Promise.all([worker(), worker(), worker()]);
}

async function scored(file) {
  const name = file.name || "pasted image";
  for (let attempt = 0; ; attempt++) {
    try {
      const form = new FormData();
      form.append("files", file, name);
      const answer = await ask("/score?pictures=true", { method: "POST", body: form });
      return answer.results[0];
    } catch (error) {
      if (attempt < 5 && /are waiting/.test(error.message)) {
        await new Promise((resolve) => setTimeout(resolve, 1000));
        continue;
      }
      return { file: name, fault: error.message };
    }
  }
}

async function openCamera() {
  try {
    session.stream = await navigator.mediaDevices.getUserMedia({ video: true });
    byId("video").srcObject = session.stream;
    await byId("video").play();
    byId("camera-box").hidden = false;
  } catch (error) {
    byId("status").textContent = `The camera cannot be used: ${error.message}`;
  }
}

function closeCamera() {
  for (const track of session.stream ? session.stream.getTracks() : []) track.stop();
  byId("camera-box").hidden = true;
}

function shoot() {
  const video = byId("video");
  const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  const name = `camera ${new Date().toLocaleTimeString()}`;
  canvas.toBlob((blob) => send([new File([blob], name, { type: "image/png" })]), "image/png");
}

byId("files").addEventListener("change", (event) => {
  send(event.target.files);
  event.target.value = "";
});
for (const name of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", name === "dragover");
    if (name === "drop") send(event.dataTransfer.files);
  });
}
document.addEventListener("paste", (event) => {
  if (event.clipboardData.files.length) send(event.clipboardData.files);
});
byId("camera").addEventListener("click", openCamera);
byId("stop").addEventListener("click", closeCamera);
byId("shoot").addEventListener("click", shoot);
byId("rate").addEventListener("input", showRate);
byId("opacity").addEventListener("input", (event) => {
  session.opacity = Number(event.target.value);
  session.items.forEach(drawItem);
});
byId("clear").addEventListener("click", () => {
  session.items = [];
  byId("results").replaceChildren();
  byId("status").textContent = "";
});
if (byId("token-form")) {
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    session.token = byId("token").value.trim();
    sessionStorage.setItem("token", session.token);
    loadModel();
  });
}
byId("theme").addEventListener("click", () => {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
});
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
window.addEventListener("DOMContentLoaded", loadModel);
