// The live picture of the Interpolate tab and its handle: what gr.HTML runs with `element`, `props`, `server`
// and `watch`. props.value is the way as JSON; the position is kept here, because it changes while dragging.
// One request is under way at a time, and the next one is always for where the handle is then.
const find = (selector) => element.querySelector(selector);
const [picture, pad, dot, range] = ["img", ".pad", ".dot", "input"].map(find);
const [save, open, speed, problem] = [".save", ".send", ".speed", ".problem"].map(find);
const PER_STRETCH = 120; // notches of the scrubber from one key frame to the next

let adopted = ""; // the position that came with the settings and when, as JSON
let position = [];
let wanted = false;
let busy = false;
let moments = []; // when the latest frames were shown, without a pause between them

const square = () => position.length === 2;

const adopt = () => {
  const came = JSON.stringify([props.value.position, props.value.at]);
  if (came !== adopted) position = [...props.value.position];
  adopted = came;
  const count = props.value.key_frames.length;
  element.closest("#interpolate").dataset.keys = square() ? "square" : count;
  range.max = (count - 1) * PER_STRETCH;
  move(position);
};

const move = (to) => {
  position = to;
  if (square()) [dot.style.left, dot.style.top] = to.map((share) => `${100 * share}%`);
  else range.value = to[0] * range.max;
  draw();
};

const draw = async () => {
  wanted = true;
  if (busy) return;
  busy = true;
  if (performance.now() - moments.at(-1) > 300) moments = [];
  while (wanted) {
    wanted = false;
    const place = position;
    pad.classList.add("drawing");
    try {
      show(await server.frame({ ...props.value, position: place }), place);
    } catch {
      show({ problem: "The server does not answer. Is it still running?" });
    }
    pad.classList.remove("drawing");
  }
  busy = false;
};

const show = (frame, place) => {
  problem.textContent = frame.problem ?? "";
  if (frame.problem) return;
  picture.src = save.href = frame.src;
  picture.alt = `The picture at ${place.map((share) => share.toFixed(3)).join(", ")} of the way`;
  open.disabled = !frame.same;
  open.dataset.settings = JSON.stringify(frame.same);
  moments = [...moments, performance.now()].slice(-25);
  const seconds = (moments.at(-1) - moments[0]) / 1000;
  const rate = (moments.length - 1) / seconds;
  speed.textContent = moments.length > 3 ? `${rate.toFixed(rate < 10 ? 1 : 0)} frames/s` : speed.textContent;
};

picture.addEventListener("load", () => {
  find(".stage").style.setProperty("--aspect", picture.naturalWidth / picture.naturalHeight);
});
range.addEventListener("input", () => move([range.value / range.max]));

const inside = (share) => Math.min(1, Math.max(0, share));
const drag = (event) => {
  if (!square() || !(event.buttons & 1)) return;
  const box = pad.getBoundingClientRect();
  move([inside((event.clientX - box.x) / box.width), inside((event.clientY - box.y) / box.height)]);
};
pad.addEventListener("pointerdown", (event) => {
  if (event.target.closest("button")) return;
  pad.setPointerCapture(event.pointerId);
  drag(event);
});
pad.addEventListener("pointermove", drag);
pad.addEventListener("keydown", (event) => {
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!square() || !way) return;
  event.preventDefault();
  move(position.map((share, axis) => inside(share + way[axis] / 50)));
});
element.addEventListener("click", (event) => {
  const stop = event.target.closest("[data-stop]")?.dataset.stop;
  if (stop === undefined) return;
  move(square() ? [stop % 2, Math.floor(stop / 2)] : [(stop * PER_STRETCH) / range.max]);
});

watch("value", adopt);
adopt();
