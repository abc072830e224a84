// Charts: a histogram, a ROC curve, and precision against recall, drawn from counts.

const WIDE = 360, HIGH = 220, LEFT = 44, BOTTOM = 34, TOP = 8, RIGHT = 10;

function svg(tag, attributes, ...children) {
  const one = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
  one.append(...children);
  return one;
}

const across = (share) => LEFT + share * (WIDE - LEFT - RIGHT);
const up = (share) => HIGH - BOTTOM - share * (HIGH - BOTTOM - TOP);

function frame(label, xLabel, yLabel, xTicks, yTicks) {
  const chart = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label });
  chart.append(svg("path", { class: "axis", d: `M${LEFT} ${TOP}V${HIGH - BOTTOM}H${WIDE - RIGHT}` }));
  for (const [share, text] of xTicks) {
    const anchor = share > 0.95 ? "end" : "middle";
    chart.append(svg("text", { x: across(share), y: HIGH - BOTTOM + 14, "text-anchor": anchor }, text));
  }
  for (const [share, text] of yTicks) {
    chart.append(svg("text", { x: LEFT - 5, y: up(share) + 4, "text-anchor": "end" }, text));
  }
  chart.append(svg("text", { x: across(0.5), y: HIGH - 4, "text-anchor": "middle" }, xLabel));
  chart.append(svg("text", { x: 10, y: up(0.5), "text-anchor": "middle", transform: `rotate(-90 10 ${up(0.5)})` }, yLabel));
  return chart;
}

// Return where a value lies between the first and the last edge, 0 to 1.
function shareOf(score, value) {
  const [first, last] = [score.edges[0], score.edges.at(-1)];
  if (value <= first) return 0;
  if (value >= last) return 1;
  if (score.isLog) return Math.log(value / first) / Math.log(last / first);
  return (value - first) / (last - first);
}

// groups: [{name, className, bins, total}]; pick(low, high) is called for a clicked bar.
function histogram(place, score, groups, threshold, pick) {
  const bins = score.edges.length - 1;
  const shares = groups.map((group) => group.bins.map((count) => count / Math.max(1, group.total)));
  const highest = Math.max(1e-9, ...shares.flat());
  const middle = Math.round(bins / 2);
  const ticks = [0, middle, bins].map((edge) => [shareOf(score, score.edges[edge]), short(score.edges[edge])]);
  const label = `Histogram of ${groups.map((group) => group.name).join(" and ")}; threshold ${short(threshold)}`;
  const chart = frame(label, score.label, "share of images", ticks, [[0, "0"], [1, percent(highest, 1)]]);
  const left = (edge) => across(shareOf(score, score.edges[edge]));
  groups.forEach((group, number) => {
    for (let bin = 0; bin < bins; bin++) {
      const height = shares[number][bin] / highest;
      if (!height) continue;
      const box = { x: left(bin), y: up(height), width: left(bin + 1) - left(bin), height: up(0) - up(height) };
      chart.append(svg("rect", { class: group.className, ...box }));
    }
    const y = TOP + 12 + 14 * number;
    chart.append(svg("rect", { class: group.className, x: WIDE - 118, y: y - 9, width: 12, height: 10 }));
    chart.append(svg("text", { x: WIDE - 102, y }, group.name));
  });
  const x = across(shareOf(score, threshold));
  chart.append(svg("line", { class: "threshold", x1: x, x2: x, y1: TOP, y2: up(0) }));
  for (let bin = 0; bin < bins; bin++) {
    const hit = svg("rect", { class: "hit", x: left(bin), y: TOP, width: left(bin + 1) - left(bin), height: up(0) - TOP });
    hit.addEventListener("click", () => pick(score.edges[bin], score.edges[bin + 1]));
    chart.append(hit);
  }
  place.replaceChildren(chart);
}

// points: [[x, y]] in 0..1, one per position of the slider; pick(position) is called on a click.
function curve(place, label, xLabel, yLabel, xTicks, points, position, pick) {
  const yTicks = [[0, "0"], [0.5, "0.5"], [1, "1"]];
  const chart = frame(label, xLabel, yLabel, xTicks, yTicks);
  const path = points.filter((point) => point).map(([x, y]) => `${across(x).toFixed(1)} ${up(y).toFixed(1)}`);
  if (path.length) chart.append(svg("path", { class: "curve", d: `M${path.join("L")}` }));
  const here = points[position];
  if (here) chart.append(svg("circle", { class: "marker", cx: across(here[0]), cy: up(here[1]), r: 5 }));
  const hit = svg("rect", { class: "hit", x: LEFT, y: TOP, width: WIDE - LEFT - RIGHT, height: HIGH - BOTTOM - TOP });
  hit.addEventListener("click", (event) => {
    const box = chart.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDE;
    const y = ((event.clientY - box.top) / box.height) * HIGH;
    let best = position, least = Infinity;
    points.forEach((point, number) => {
      if (!point) return;
      const distance = (across(point[0]) - x) ** 2 + (up(point[1]) - y) ** 2;
      if (distance < least) [best, least] = [number, distance];
    });
    pick(best);
  });
  chart.append(hit);
  place.replaceChildren(chart);
}
