"use strict";
// Drawing: an image, its map in orange over it, and the mask of the pixels above a level.
// A small map is a grey picture: level j of 64 is the grey value 4 j.

const ORANGE = [230, 159, 0];
const KEPT = 600; // decoded pictures
const pictures = new Map();

function addressOf(base64) {
  const form = base64.startsWith("UklGR") ? "webp" : "png";
  return `data:image/${form};base64,${base64}`;
}

// Return the decoded picture; the least recently used one is forgotten.
function pictureOf(base64) {
  let one = pictures.get(base64);
  pictures.delete(base64);
  if (!one) {
    const image = new Image();
    image.src = addressOf(base64);
    one = { image, ready: image.decode(), levels: null };
    if (pictures.size >= KEPT) pictures.delete(pictures.keys().next().value);
  }
  pictures.set(base64, one);
  return one;
}

// Return the levels of a decoded map.
function levelsOf(picture) {
  if (!picture.levels) {
    const { naturalWidth: width, naturalHeight: height } = picture.image;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture.image, 0, 0);
    const pixels = context.getImageData(0, 0, width, height).data;
    const levels = new Uint8Array(width * height);
    for (let i = 0; i < levels.length; i++) levels[i] = Math.round(pixels[4 * i] / 4);
    picture.levels = { width, height, levels };
  }
  return picture.levels;
}

function fit(canvas, width, height) {
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  canvas.classList.toggle("smooth", Math.max(width, height) > 64);
  return canvas.getContext("2d");
}

async function drawImage(canvas, base64) {
  const wanted = (canvas.wanted = Symbol());
  const { image, ready } = pictureOf(base64);
  await ready;
  if (canvas.wanted !== wanted) return; // it shows another image by now
  fit(canvas, image.naturalWidth, image.naturalHeight).drawImage(image, 0, 0);
}

// Draw the image, and its map with more orange where it is higher.
async function drawHeat(canvas, input, map, opacity, most) {
  const wanted = (canvas.wanted = Symbol());
  const heat = pictureOf(map);
  const below = input ? pictureOf(input) : null;
  await Promise.all([heat.ready, below ? below.ready : null]);
  if (canvas.wanted !== wanted) return;
  const { width, height, levels } = levelsOf(heat);
  const layer = new OffscreenCanvas(width, height);
  const pixels = new ImageData(width, height);
  for (let i = 0; i < levels.length; i++) {
    pixels.data.set(ORANGE, 4 * i);
    pixels.data[4 * i + 3] = (255 * opacity * levels[i]) / (most - 1);
  }
  layer.getContext("2d").putImageData(pixels, 0, 0);
  const shown = below ? below.image : null;
  const context = fit(canvas, shown ? shown.naturalWidth : width, shown ? shown.naturalHeight : height);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (shown) context.drawImage(shown, 0, 0);
  context.imageSmoothingEnabled = Math.max(width, height) > 32;
  context.drawImage(layer, 0, 0, canvas.width, canvas.height);
}

// Draw the pixels whose level is at least `lowest` in white.
async function drawMask(canvas, map, lowest) {
  const wanted = (canvas.wanted = Symbol());
  const heat = pictureOf(map);
  await heat.ready;
  if (canvas.wanted !== wanted) return;
  const { width, height, levels } = levelsOf(heat);
  const pixels = new ImageData(width, height);
  let marked = 0;
  for (let i = 0; i < levels.length; i++) {
    const isMarked = levels[i] >= lowest;
    marked += isMarked;
    pixels.data.fill(isMarked ? 255 : 0, 4 * i, 4 * i + 3);
    pixels.data[4 * i + 3] = 255;
  }
  fit(canvas, width, height).putImageData(pixels, 0, 0);
  canvas.dataset.marked = marked;
}

function element(tag, properties = {}, ...children) {
  const one = Object.assign(document.createElement(tag), properties);
  one.append(...children);
  return one;
}

function short(value) {
  if (value === null || value === undefined) return "";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

function percent(part, whole) {
  return whole ? `${((100 * part) / whole).toFixed(1)} %` : "";
}
