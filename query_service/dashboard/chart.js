// Bars, one an hour, as SVG: rows {timestamp, value} whose timestamps carry the app's local offset.
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 640;
const HEIGHT = 340;
const LEFT = 44;
const BOTTOM = 28;
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

// The smallest round step (1, 2 or 5 times a power of ten) that reaches the largest value in four lines.
function gridStep(largest) {
  for (let power = 1; ; power *= 10) {
    const step = [1, 2, 5].map((factor) => factor * power).find((candidate) => candidate * 4 >= largest);
    if (step) return step;
  }
}

export function hourChart(hours, now) {
  const largest = Math.max(1, ...hours.map((hour) => hour.value));
  const step = gridStep(largest);
  const lines = Math.ceil(largest / step);
  const scale = (HEIGHT - BOTTOM - TOP) / (lines * step);
  const width = (WIDTH - LEFT) / hours.length;
  const total = hours.reduce((sum, hour) => sum + hour.value, 0);
  const label = `Events per hour today: ${number.format(total)} so far`;
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (let line = 0; line <= lines; line += 1) {
    const y = HEIGHT - BOTTOM - line * step * scale;
    svg.append(element("line", { class: "axis", x1: LEFT, x2: WIDTH, y1: y, y2: y }));
    svg.append(element("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, short.format(line * step)));
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
