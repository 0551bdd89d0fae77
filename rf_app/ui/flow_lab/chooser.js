// What an experiment is made of: what gr.HTML runs with `element`, `props`, `trigger` and `watch`. props.value is
// the wish; setting it and triggering "input" asks for it. A wish may come from a link or a file of anybody: it is
// only ever put into values and text, and the server checks it.
const REACH = 1.6; // of the board, from its middle
const GAP = 0.04; // between two points of a stroke
const HASH = "#flow-lab=";
const APART = props.value.apart;
const find = (selector) => element.querySelector(selector);
const [coupling, seed, over] = ["coupling", "seed", "over"].map((name) => find(`[name="${name}"]`));
const problem = find(".problem");
const drawn = { source: [], target: [] };

const board = (end) => find(`[data-end="${end}"] .board`);
const chosen = (end) => find(`[data-end="${end}"] [aria-pressed="true"]`)?.dataset.toy;

const choose = (end, name) => {
  for (const toy of element.querySelectorAll(`[data-end="${end}"] [data-toy]`))
    toy.setAttribute("aria-pressed", toy.dataset.toy === name);
  board(end).hidden = name !== "drawn";
  paint(end);
};

const paint = (end) => {
  const canvas = board(end).querySelector("canvas");
  const pen = canvas.getContext("2d");
  const half = canvas.width / 2;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = getComputedStyle(element).getPropertyValue("--ink");
  for (const [x, y] of drawn[end]) pen.fillRect(half + (x / REACH) * half - 2, half - (y / REACH) * half - 2, 4, 4);
  board(end).querySelector("p").hidden = drawn[end].length > 0;
};

// The wish as the fields have it.
const wish = () => {
  const ends = {};
  for (const end of ["source", "target"]) {
    ends[end] = chosen(end);
    if (ends[end] === "drawn") ends[`${end}_points`] = drawn[end];
  }
  const apart = over.checked ? 0 : APART;
  return { ...ends, coupling: coupling.value, apart, seed: seed.value === "" ? null : +seed.value };
};

const isPoint = (point) => Array.isArray(point) && point.length === 2 && point.every(Number.isFinite);
const show = (made) => {
  for (const end of ["source", "target"]) {
    const points = made[`${end}_points`];
    if (Array.isArray(points) && points.length) drawn[end] = points.filter(isPoint);
    choose(end, points?.length ? "drawn" : String(made[end] ?? chosen(end)));
  }
  coupling.value = made.coupling ?? coupling.value;
  over.checked = made.apart === 0;
  seed.value = made.seed ?? seed.value;
};

const ask = (asked) => {
  problem.textContent = "";
  for (const end of ["source", "target"])
    if (asked[end] === "drawn" && !asked[`${end}_points`]?.length) {
      problem.textContent = "Nothing is drawn yet: draw something, or choose a picture.";
      return;
    }
  studio.asked = true;
  props.value = { ...asked, at: performance.now() };
  trigger("input");
  if (innerWidth <= 960) studio.show("#flow-lab");
};

const open = (text) => {
  try {
    const found = JSON.parse(text);
    const made = found.wish ?? found;
    show(made);
    ask(made);
  } catch {
    problem.textContent = "This is no experiment that was saved here.";
  }
};

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const end = button.closest("[data-end]")?.dataset.end;
  const { toy, run, wish: example } = button.dataset;
  if (toy) choose(end, toy);
  if (button.matches(".clear")) {
    drawn[end] = [];
    paint(end);
  }
  if (run) ask({ ...wish(), experiment: run });
  if (example) {
    show({ coupling: "independent", ...JSON.parse(example) });
    ask({ ...wish(), experiment: "reflow" });
  }
  if (button.matches(".link")) {
    const { at, ...last } = props.value;
    const text = JSON.stringify(studio.asked ? last : wish()).replace(/[^\x20-\x7e]/g, "?"); // names are ASCII
    history.replaceState(null, "", HASH + btoa(text));
    studio.copy(location.href, button);
  }
});

find("input[type=file]").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (file) open(await file.text());
  event.target.value = "";
});

for (const end of ["source", "target"]) {
  const canvas = board(end).querySelector("canvas");
  let last = null; // where the pen was, while it is down
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const [right, down] = [(event.clientX - box.x) / box.width, (event.clientY - box.y) / box.height];
    return [(2 * right - 1) * REACH, (1 - 2 * down) * REACH].map((v) => Math.round(v * 100) / 100);
  };
  const put = (point) => {
    if (drawn[end].length < +canvas.dataset.most && point.every((v) => Math.abs(v) <= REACH)) drawn[end].push(point);
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button || !event.isPrimary) return; // a second finger draws nothing
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    put((last = at(event)));
    paint(end);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last || !event.isPrimary) return;
    const to = at(event);
    const far = Math.hypot(to[0] - last[0], to[1] - last[1]);
    if (far < GAP) return;
    const count = Math.floor(far / GAP);
    for (let i = 1; i <= count; i++)
      put(to.map((v, axis) => Math.round((last[axis] + ((v - last[axis]) * i) / count) * 100) / 100));
    last = to;
    paint(end);
  });
  for (const kind of ["pointerup", "pointercancel"])
    canvas.addEventListener(kind, (event) => event.isPrimary && (last = null));
}

show(props.value);
if (location.hash.startsWith(HASH)) {
  let text = "";
  try {
    text = atob(location.hash.slice(HASH.length));
  } catch {
    // no link of ours: `open` says so
  }
  open(text);
}
