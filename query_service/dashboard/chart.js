// Bars, one an hour, as SVG: rows {timestamp, value} whose timestamps carry the app's local offset.
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 640;
const HEIGHT = 220;
const LEFT = 44;
const BOTTOM = 22;
const TOP = 10;
const HOUR_MS = 3600000;
const short = new Intl.NumberFormat([], { notation: "compact" });
const number = new Intl.NumberFormat();

function element(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

// The next round number (1, 2 or 5 times a power of ten) at or above half the largest value.
function gridStep(largest) {
  const power = 10 ** Math.floor(Math.log10(largest / 2 || 1));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step * 2 >= largest) || 1;
}

export function hourChart(hours, now) {
  const step = Math.max(1, gridStep(Math.max(...hours.map((hour) => hour.value))));
  const scale = (HEIGHT - BOTTOM - TOP) / (2 * step);
  const width = (WIDTH - LEFT) / hours.length;
  const total = hours.reduce((sum, hour) => sum + hour.value, 0);
  const label = `Events per hour today: ${number.format(total)} so far`;
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (const line of [0, step, 2 * step]) {
    const y = HEIGHT - BOTTOM - line * scale;
    svg.append(element("line", { class: "axis", x1: LEFT, x2: WIDTH, y1: y, y2: y }));
    svg.append(element("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, short.format(line)));
  }
  hours.forEach((hour, index) => svg.append(...bar(hour, LEFT + index * width, width, scale, now)));
  return svg;
}

function bar(hour, x, width, scale, now) {
  const start = Date.parse(hour.timestamp);
  const clock = hour.timestamp.slice(11, 16);
  const isRunning = start <= now && now < start + HOUR_MS;
  const height = hour.value && Math.max(1, hour.value * scale);
  const y = HEIGHT - BOTTOM - height;
  const box = { x: x + width * 0.12, y, width: width * 0.76, height, rx: 2 };
  const nodes = [element("rect", { ...box, class: isRunning ? "running" : "bar" })];
  // The whole column answers to the pointer, however low the bar is.
  const target = element("rect", { x, y: TOP, width, height: HEIGHT - BOTTOM - TOP, fill: "transparent" });
  const note = isRunning ? " (this hour)" : "";
  target.append(element("title", {}, `${clock}${note}: ${number.format(hour.value)} events`));
  nodes.push(target);
  if (clock.endsWith(":00") && Number(clock.slice(0, 2)) % 3 === 0) {
    nodes.push(element("text", { x: x + width / 2, y: HEIGHT - 6, "text-anchor": "middle" }, clock.slice(0, 2)));
  }
  return nodes;
}
