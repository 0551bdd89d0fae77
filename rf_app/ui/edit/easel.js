// The picture to begin from and what becomes of it: what gr.HTML runs with `element`, `props`, `server` and `watch`.
// props.value is the form as JSON. The picture and the mask are kept here, as they change while one paints. One
// request is under way at a time, and the next one is always for what is on the board then: no stroke waits.
const find = (selector) => element.querySelector(selector);
const [picture, mask, words] = [".picture", ".mask", ".board p"].map(find);
const [only, size, another, file] = [".only", ".size input", "input[type=color]", "input[type=file]"].map(find);
const [result, back, save, speed, problem] = [".result img", ".back", ".save", ".speed", ".problem"].map(find);
const [laid, earlier, handle, passage] = [".laid", ".laid span", ".laid input", ".passage"].map(find);
const pen = picture.getContext("2d", { willReadFrequently: true });
const marker = mask.getContext("2d", { willReadFrequently: true });
const MOST = 20; // changes that can be undone
const FRAMES = 6; // from a picture to its translation
const GROUND = "#d9d6cd"; // of an empty board

let form = props.value;
let colour = "#7fb4e6";
let before = []; // what was there before each change
let empty = true;
let last = null; // where the pen was, while it is down
let adopted; // when the picture on the board came with a value
let wanted = false;
let busy = false;
let moments = []; // when the latest pictures were shown, without a pause between them
let uncovered = false;
let made = null; // the latest picture, for "Go on from this"

const masking = () => only.getAttribute("aria-pressed") === "true";
const pixels = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
const remember = () => (before = [...before, { picture: pixels(picture), mask: pixels(mask), empty }].slice(-MOST));
const ground = (fill) => {
  pen.fillStyle = fill;
  pen.fillRect(0, 0, picture.width, picture.height);
};
const unmask = () => marker.clearRect(0, 0, mask.width, mask.height);
const press = (button, on) => button.setAttribute("aria-pressed", on);
const choose = (to) => {
  colour = to;
  for (const each of element.querySelectorAll(".colour")) press(each, each.dataset.colour === to);
  press(only, false);
};

// What the server is asked for: the board, no larger than the picture will be.
const shrunk = (canvas) => {
  const [width, height] = form.size;
  const small = Object.assign(document.createElement("canvas"), { width, height });
  const to = small.getContext("2d");
  to.imageSmoothingQuality = "high";
  to.drawImage(canvas, 0, 0, width, height);
  return small;
};
const isMasked = () => pixels(mask).data.some((value) => value);
const maskImage = () => {
  const small = Object.assign(document.createElement("canvas"), { width: mask.width, height: mask.height });
  const to = small.getContext("2d");
  to.fillRect(0, 0, small.width, small.height);
  const shown = pixels(mask);
  for (let i = 0; i < shown.data.length; i += 4)
    shown.data.set(shown.data[i + 3] ? [255, 255, 255, 255] : [0, 0, 0, 255], i);
  to.putImageData(shown, 0, 0);
  return shrunk(small).toDataURL("image/png");
};
const wish = () => {
  const { strength, shows, live, size: _, at, picture: __, mode, inversion, ...more } = form;
  const { translation, translation_steps: steps, ...settings } = more;
  const image = shrunk(picture).toDataURL("image/png");
  // While a stroke is made its way is not drawn.
  if (mode === "translate") return { translated: { translation: translation ?? "", image, steps }, frames: last ? 0 : FRAMES };
  const start = { image, strength };
  if (shows?.trim()) Object.assign(start, { shows, inversion });
  if (isMasked()) start.mask = maskImage();
  return { ...settings, start };
};
studio.easelIsEmpty = () => empty;
studio.easelWish = (seed) => JSON.stringify(empty ? {} : { ...wish(), seed });

const draw = async () => {
  if (empty || !form.live || (form.mode === "translate" && !form.translation)) return;
  wanted = true;
  if (busy) return;
  busy = true;
  if (performance.now() - moments.at(-1) > 500) moments = [];
  while (wanted) {
    wanted = false;
    try {
      show(await server.frame(wish()));
    } catch {
      show({ problem: "The server does not answer. Is it still running?" });
    }
  }
  busy = false;
};
const show = (found) => {
  problem.textContent = found.problem ?? "";
  if (found.problem) return;
  made = found;
  result.src = save.href = found.src;
  result.alt = found.settings.prompt;
  const { start, translated } = found.settings;
  earlier.style.backgroundImage = `url(data:image/png;base64,${(start ?? translated).image})`;
  laid.classList.add("done");
  if (!uncovered) handle.value = translated ? 50 : 0; // until somebody has moved it
  studio.uncover(handle);
  walk(translated, found.way);
  save.download = found.name;
  back.disabled = false;
  moments = [...moments, performance.now()].slice(-25);
  const rate = (moments.length - 1) / ((moments.at(-1) - moments[0]) / 1000);
  speed.textContent = moments.length > 3 ? `${rate.toFixed(1)} pictures/s` : "";
};
// The pictures on the way to a translation.
const walk = (translated, way) => {
  passage.hidden = !translated;
  if (!way?.length) return;
  const said = (i) => (i ? (i < way.length - 1 ? `${Math.round((100 * i) / (way.length - 1))} %` : "after") : "before");
  const frames = way.map((src, i) => {
    const frame = document.createElement("figure");
    const image = Object.assign(document.createElement("img"), { src, alt: said(i) });
    frame.append(image, Object.assign(document.createElement("figcaption"), { textContent: said(i) }));
    return frame;
  });
  passage.replaceChildren(...frames);
};
const changed = () => {
  words.hidden = !empty;
  draw();
};

// The middle of a picture fills the board.
const fill = (image) => {
  const scale = Math.max(picture.width / image.width, picture.height / image.height);
  const [width, height] = [image.width * scale, image.height * scale];
  ground("white");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(image, (picture.width - width) / 2, (picture.height - height) / 2, width, height);
  empty = false;
};
const put = async (blob) => {
  try {
    const image = await createImageBitmap(blob);
    remember();
    fill(image);
    unmask();
    changed();
  } catch {
    problem.textContent = "This file is no picture that the browser can show.";
  }
};
const load = async (source) => {
  const image = new Image();
  image.src = source;
  await image.decode();
  return image;
};

const at = (event) => {
  const box = picture.getBoundingClientRect();
  return [
    ((event.clientX - box.x) / box.width) * picture.width,
    ((event.clientY - box.y) / box.height) * picture.height,
  ];
};
const stroke = (from, to) => {
  const on = masking() ? marker : pen;
  on.strokeStyle = masking() ? "#e0218a" : colour;
  on.lineWidth = +size.value;
  on.lineCap = on.lineJoin = "round";
  on.beginPath();
  on.moveTo(...from);
  on.lineTo(...to);
  on.stroke();
};
picture.addEventListener("pointerdown", (event) => {
  if (event.button || !event.isPrimary) return; // a second finger draws nothing
  event.preventDefault();
  picture.setPointerCapture(event.pointerId);
  problem.textContent = "";
  remember();
  if (empty) ground(GROUND);
  empty = false;
  last = at(event);
  stroke(last, last);
  changed();
});
picture.addEventListener("pointermove", (event) => {
  if (!last || !event.isPrimary) return;
  for (const each of event.getCoalescedEvents?.() ?? [event]) {
    const to = at(each);
    stroke(last, to);
    last = to;
  }
  changed();
});
for (const kind of ["pointerup", "pointercancel"])
  picture.addEventListener(kind, (event) => {
    if (!event.isPrimary) return;
    if (last) changed();
    last = null;
  });

element.addEventListener("click", ({ target }) => {
  const chosen = target.closest?.("[data-colour]");
  if (chosen) choose(chosen.dataset.colour);
});
another.addEventListener("input", () => choose(another.value));
only.addEventListener("click", () => press(only, !masking()));
find(".fill").addEventListener("click", () => {
  remember();
  if (masking()) {
    marker.fillStyle = "#e0218a";
    marker.fillRect(0, 0, mask.width, mask.height);
  } else ground(colour);
  empty = false;
  changed();
});
find(".undo").addEventListener("click", () => {
  const earlier = before.pop();
  if (!earlier) return;
  pen.putImageData(earlier.picture, 0, 0);
  marker.putImageData(earlier.mask, 0, 0);
  empty = earlier.empty;
  changed();
});
find(".clear").addEventListener("click", () => {
  remember();
  if (!masking()) {
    ground(GROUND);
    empty = true;
  }
  unmask();
  changed();
});
handle.addEventListener("input", () => (uncovered = true));
back.addEventListener("click", async () => {
  const image = await load(made.src);
  remember();
  fill(image);
  unmask();
  changed();
});
file.addEventListener("change", () => {
  if (file.files.length) put(file.files[0]);
  file.value = "";
});
element.addEventListener("drop", (event) => {
  const dropped = [...event.dataTransfer.files].find((each) => each.type.startsWith("image/"));
  if (dropped) put(dropped);
});

const shape = () => {
  const [width, height] = form.size;
  if (picture.width / picture.height === width / height) return;
  const whole = Math.max(picture.width, picture.height);
  const was = Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
  was.getContext("2d").drawImage(picture, 0, 0);
  for (const canvas of [picture, mask])
    Object.assign(canvas, {
      width: Math.round((whole * width) / Math.max(width, height)),
      height: Math.round((whole * height) / Math.max(width, height)),
    });
  const blank = empty;
  fill(was);
  empty = blank;
  before = [];
};
const adopt = async () => {
  const value = props.value;
  if (value.result) return show(value.result);
  form = { live: form.live, ...value };
  shape();
  if (value.at !== undefined && value.at !== adopted) {
    adopted = value.at;
    const images = await Promise.all([value.picture.image, value.picture.mask].map((each) => each && load(each)));
    if (adopted !== value.at) return; // another one has come meanwhile
    remember();
    fill(images[0]);
    unmask();
    if (images[1]) {
      const small = shrunk(images[1]);
      const shown = pixels(small);
      for (let i = 0; i < shown.data.length; i += 4)
        shown.data.set(shown.data[i] > 127 ? [224, 33, 138, 255] : [0, 0, 0, 0], i);
      small.getContext("2d").putImageData(shown, 0, 0);
      marker.imageSmoothingEnabled = false;
      marker.drawImage(small, 0, 0, mask.width, mask.height);
      marker.imageSmoothingEnabled = true;
    }
  }
  changed();
};

ground(GROUND);
choose(colour);
watch("value", adopt);
adopt();
