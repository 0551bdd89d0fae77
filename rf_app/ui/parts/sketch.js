// A board to draw on, white on black, or to put a picture into: what gr.HTML runs with `element`, `props`,
// `trigger` and `watch`. props.value is what is in it, as a data URL, or "" while it is empty; props.aspect its
// width over its height. A person's change triggers "input", also while the pen is still moving, and so does
// another shape, to which what is on it is fitted; a value from the server is drawn and triggers nothing.
const find = (selector) => element.querySelector(selector);
const [canvas, file, eraser, undo, clear] = ["canvas", "input", ".eraser", ".undo", ".clear"].map(find);
const pen = canvas.getContext("2d", { willReadFrequently: true });
const SIDE = canvas.width; // the longer one
const WIDTH = { pen: SIDE / 85, eraser: SIDE / 16 };
const EVERY = 120; // milliseconds between two looks at a stroke being drawn
const MOST = 20; // strokes that can be undone
const FAINT = 40; // of 255: what stands out less from its ground cannot be seen

let before = []; // what was there before each change
let empty = true;
let whole = null; // the picture that was put in last, or the drawing before another shape; until a stroke
let last = null; // where the pen was, while it is down
let told = 0;
let shown = ""; // the value that is on the board

const blank = () => {
  pen.fillStyle = "black";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  empty = true;
  whole = null;
};

// The words on the empty board.
const mark = () => (find(".board p").hidden = !empty);

const remember = () => {
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height);
  before = [...before, { pixels, empty, whole }].slice(-MOST);
};

const tell = () => {
  told = performance.now();
  mark();
  props.value = shown = empty ? "" : canvas.toDataURL("image/png");
  trigger("input");
};

// How far the darkest and the brightest of the pixels are apart, on a ground of that brightness.
const contrast = (pixels, ground) => {
  let [darkest, brightest] = [255, 0];
  for (let i = 0; i < pixels.length; i += 4) {
    const grey = 0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2];
    const seen = ground + (pixels[i + 3] / 255) * (grey - ground);
    [darkest, brightest] = [Math.min(darkest, seen), Math.max(brightest, seen)];
  }
  return brightest - darkest;
};

// What is transparent becomes white; or black, where white ink would vanish. As plugins/picture.py does it.
const lay = () => {
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  const vanishes = contrast(pixels, 255) < FAINT && contrast(pixels, 0) >= FAINT;
  pen.globalCompositeOperation = "destination-over";
  pen.fillStyle = vanishes ? "black" : "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.globalCompositeOperation = "source-over";
};

// The middle of a picture fills the board; the browser turns it upright and knows every format that it shows.
// A drawing (a canvas) is seen whole, on its own ground.
const fill = (picture) => {
  const { width, height } = canvas;
  const drawing = picture instanceof HTMLCanvasElement;
  const [across, down] = [width / picture.width, height / picture.height];
  const times = drawing ? Math.min(across, down) : Math.max(across, down);
  pen.clearRect(0, 0, width, height);
  if (drawing) {
    const [red, green, blue] = picture.getContext("2d").getImageData(0, 0, 1, 1).data;
    pen.fillStyle = `rgb(${red} ${green} ${blue})`;
    pen.fillRect(0, 0, width, height);
  }
  const size = [picture.width * times, picture.height * times];
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, (width - size[0]) / 2, (height - size[1]) / 2, ...size);
  lay();
  empty = false;
  whole = picture;
};

// The board takes the shape of the pictures; whether that has changed what is on it.
const reshape = () => {
  const aspect = props.aspect || 1;
  const [width, height] = [Math.min(1, aspect), Math.min(1, 1 / aspect)].map((share) => Math.round(SIDE * share));
  if (width === canvas.width && height === canvas.height) return false;
  const drawn = document.createElement("canvas");
  [drawn.width, drawn.height] = [canvas.width, canvas.height];
  drawn.getContext("2d").drawImage(canvas, 0, 0);
  [canvas.width, canvas.height] = [width, height]; // which clears it
  before = [];
  if (empty) blank();
  else fill(whole ?? drawn);
  return !empty;
};

const put = async (blob) => {
  try {
    const picture = await createImageBitmap(blob);
    remember();
    fill(picture);
    tell();
  } catch {
    find(".problem").textContent = "This file is no picture that the browser can show.";
  }
};

const at = (event) => {
  const box = canvas.getBoundingClientRect();
  const [x, y] = [(event.clientX - box.x) / box.width, (event.clientY - box.y) / box.height];
  return [x * canvas.width, y * canvas.height];
};

const stroke = (from, to) => {
  const erasing = eraser.getAttribute("aria-pressed") === "true";
  pen.strokeStyle = erasing ? "black" : "white";
  pen.lineWidth = erasing ? WIDTH.eraser : WIDTH.pen;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo(...from);
  pen.lineTo(...to);
  pen.stroke();
};

canvas.addEventListener("pointerdown", (event) => {
  if (event.button || !event.isPrimary) return; // a second finger draws nothing
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  find(".problem").textContent = "";
  remember();
  empty = false;
  whole = null;
  last = at(event);
  stroke(last, last);
});
canvas.addEventListener("pointermove", (event) => {
  if (!last || !event.isPrimary) return;
  const to = at(event);
  stroke(last, to);
  last = to;
  if (performance.now() - told > EVERY) tell();
});
for (const kind of ["pointerup", "pointercancel"])
  canvas.addEventListener(kind, (event) => {
    if (!event.isPrimary) return;
    if (last) tell();
    last = null;
  });

eraser.addEventListener("click", () => {
  eraser.setAttribute("aria-pressed", eraser.getAttribute("aria-pressed") !== "true");
});
undo.addEventListener("click", () => {
  const earlier = before.pop();
  if (!earlier) return;
  pen.putImageData(earlier.pixels, 0, 0);
  ({ empty, whole } = earlier);
  tell();
});
clear.addEventListener("click", () => {
  if (empty) return;
  remember();
  blank();
  tell();
});
file.addEventListener("change", () => {
  if (file.files.length) put(file.files[0]);
  file.value = "";
});
element.addEventListener("drop", (event) => {
  const dropped = [...event.dataTransfer.files].find((each) => each.type.startsWith("image/"));
  if (dropped) put(dropped);
});

const show = async () => {
  const reshaped = reshape();
  if (last || props.value === (empty ? "" : canvas.toDataURL("image/png"))) return;
  if (reshaped && props.value === shown) return tell();
  const wanted = props.value;
  if (!wanted) blank();
  else {
    const picture = new Image();
    picture.src = wanted;
    await picture.decode();
    if (props.value !== wanted) return;
    // A condition map stays as sharp as it is.
    pen.imageSmoothingEnabled = Math.max(picture.width, picture.height) >= SIDE;
    fill(picture);
    pen.imageSmoothingEnabled = true;
  }
  before = [];
  shown = wanted;
  mark();
};

blank();
watch(["value", "aspect"], show);
show();
