// Points on their way, drawn from the action's answer: what gr.HTML runs with `element`, `props` and `watch`.
// A coupling's pairs go straight, a flow's points along its paths; behind them, pale, the mix of the pairs that the
// flow was made from. What lies in space is turned with the mouse, a finger or the arrow keys.
const SECONDS = 3; // from source to target
const MARKED = 60; // pairs whose crossings are marked
const MARGIN = 0.4;
const find = (selector) => element.querySelector(selector);
const [view, canvas, play, range] = [".view", "canvas", ".play", "input"].map(find);
const [said, moment, flows, legend, save] = ["output", ".moment", ".flows", ".legend", ".save"].map(find);
const pen = canvas.getContext("2d");

let couplings = [];
let shown = 0; // which of them
let tau = 1;
let playing = 0; // the frame that comes next, while it plays
let turn = [0.5, 0.35]; // radians: around the upright, and tilted
let box = null;

const inSpace = () => couplings[0]?.paths[0]?.[0].length === 3;

// From a point to the plane of the screen.
const flat = (point) => {
  if (point.length === 2) return point;
  const [x, y, z] = point;
  const [c, s] = [Math.cos(turn[0]), Math.sin(turn[0])];
  const depth = z * c - x * s;
  return [x * c + z * s, y * Math.cos(turn[1]) - depth * Math.sin(turn[1])];
};
const along = (path, at) => {
  const place = at * (path.length - 1);
  const i = Math.min(Math.floor(place), path.length - 2);
  return path[i].map((v, axis) => v + (path[i + 1][axis] - v) * (place - i));
};

// Where the segments from a to b and from c to d cross, if they do.
const meet = ([a, b], [c, d]) => {
  const [ux, uy, vx, vy] = [b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]];
  const [wx, wy, across] = [c[0] - a[0], c[1] - a[1], ux * vy - uy * vx];
  const [s, t] = [(wx * vy - wy * vx) / across, (wx * uy - wy * ux) / across];
  return s > 0 && s < 1 && t > 0 && t < 1 ? [a[0] + s * ux, a[1] + s * uy] : null;
};
const crossings = (paths) => {
  const pairs = paths.slice(0, MARKED).map((path) => [path[0], path.at(-1)]);
  return pairs.flatMap((one, i) => pairs.slice(i + 1).map((other) => meet(one, other))).filter(Boolean);
};

// All that is shown, seen from any side, fits.
const fit = () => {
  const points = couplings.flatMap(({ paths }) => paths.flatMap((path) => [path[0], path.at(-1)]));
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  const reach = (values) => [Math.min(...values) - MARGIN, Math.max(...values) + MARGIN];
  box = [...reach(xs), ...(inSpace() ? [-2, 2] : reach(ys))];
  view.style.aspectRatio = Math.min(2, Math.max(1.2, (box[1] - box[0]) / (box[3] - box[2])));
};

const draw = () => {
  said.textContent = `τ = ${tau.toFixed(2)}`;
  range.value = tau;
  const density = devicePixelRatio || 1;
  const [width, height] = [view.clientWidth * density, view.clientHeight * density];
  if (canvas.width !== Math.round(width) || canvas.height !== Math.round(height))
    [canvas.width, canvas.height] = [width, height];
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const coupling = couplings[shown];
  if (!coupling) return;
  const scale = Math.min(width / (box[1] - box[0]), height / (box[3] - box[2]));
  const at = (point) => {
    const [x, y] = flat(point);
    return [width / 2 + (x - (box[0] + box[1]) / 2) * scale, height / 2 - (y - (box[2] + box[3]) / 2) * scale];
  };
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(name);
  const dots = (points, radius, fill, opacity) => {
    pen.fillStyle = fill;
    pen.globalAlpha = opacity;
    for (const point of points) {
      pen.beginPath();
      pen.arc(...at(point), radius * density, 0, 7);
      pen.fill();
    }
  };
  const { paths } = coupling;
  dots(paths.map((path) => path[0]), 2.5, colour("--c1"), 0.35);
  dots(paths.map((path) => path.at(-1)), 2.5, colour("--c2"), 0.35);
  pen.globalAlpha = inSpace() ? 0.12 : 0.25;
  pen.strokeStyle = colour("--quiet");
  pen.lineWidth = density;
  for (const path of paths) {
    pen.beginPath();
    path.forEach((point) => pen.lineTo(...at(point)));
    pen.stroke();
  }
  if (!inSpace()) dots(crossings(paths), 2.5, colour("--cross"), 0.9);
  const made = couplings[shown - 1];
  if (made) dots(made.paths.map((path) => along([path[0], path.at(-1)], tau)), 4, colour("--c9"), 0.35);
  dots(paths.map((path) => along(path, tau)), 3, colour("--c0"), 1);
  pen.globalAlpha = 1;
};

const stop = () => {
  cancelAnimationFrame(playing);
  playing = 0;
  play.textContent = "Play";
};
const start = () => {
  const begun = performance.now();
  const next = (now) => {
    tau = Math.max(0, Math.min(1, (now - begun) / 1000 / SECONDS)); // a frame may have begun before
    draw();
    if (tau < 1 && view.checkVisibility()) playing = requestAnimationFrame(next);
    else stop();
  };
  play.textContent = "Pause";
  playing = requestAnimationFrame(next);
};

const words = () => {
  const { rectified } = couplings[shown];
  const mix = rectified ? " Pale violet: a mix of the pairs it was made from; both clouds have one shape at each moment." : "";
  const marks = inSpace() ? " Drag to turn." : ` Red: where the first ${MARKED} pairs’ straight lines cross.`;
  return `Blue: source. Orange: target. Green: points on their way.${mix}${marks}`;
};
const choose = (which) => {
  shown = which;
  [...flows.children].forEach((button, i) => button.setAttribute("aria-pressed", i === which));
  legend.textContent = words();
  draw();
};

const adopt = () => {
  stop();
  couplings = props.value.couplings ?? [];
  const pictures = Boolean(props.value.drawings?.length); // which stand below
  for (const part of [view, moment, flows, legend]) part.hidden = pictures;
  save.hidden = !props.value.wish;
  play.disabled = range.disabled = !couplings.length;
  flows.replaceChildren(
    ...couplings.map(({ title }, i) => {
      const button = document.createElement("button");
      button.className = "act";
      button.textContent = title;
      button.addEventListener("click", () => choose(i));
      return button;
    }),
  );
  if (!couplings.length) return;
  fit();
  choose(props.value.shown ?? couplings.length - 1);
  if (!studio.calm()) start();
};

save.addEventListener("click", () => {
  save.href = URL.createObjectURL(new Blob([JSON.stringify(props.value)], { type: "application/json" }));
});
play.addEventListener("click", () => (playing ? stop() : start()));
range.addEventListener("input", () => {
  stop();
  tau = +range.value;
  draw();
});
const turned = (right, down) => {
  turn = [turn[0] + right, Math.max(-1.5, Math.min(1.5, turn[1] + down))];
  if (!playing) draw();
};
view.addEventListener("pointermove", (event) => {
  if (inSpace() && event.buttons & 1) turned(event.movementX / 120, event.movementY / 120);
});
view.addEventListener("pointerdown", (event) => inSpace() && view.setPointerCapture(event.pointerId));
view.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
  if (!inSpace() || !way) return;
  event.preventDefault();
  turned(...way);
});
new ResizeObserver(() => !playing && draw()).observe(view);

watch("value", adopt);
adopt();
