// A square to draw in, white on black, or to put a picture into: what gr.HTML runs with `element`, `props`,
// `trigger` and `watch`. props.value is what is in it, as a data URL, or "" while it is empty. A person's change
// triggers "input", also while the pen is still moving; a value from the server is drawn and triggers nothing.
const find = (selector) => element.querySelector(selector);
const [canvas, file, eraser, undo, clear] = ["canvas", "input", ".eraser", ".undo", ".clear"].map(find);
const pen = canvas.getContext("2d", { willReadFrequently: true });
const SIDE = canvas.width;
const WIDTH = { pen: SIDE / 85, eraser: SIDE / 16 };
const EVERY = 120; // milliseconds between two looks at a stroke being drawn
const MOST = 20; // strokes that can be undone
const FAINT = 40; // of 255: what stands out less from its ground cannot be seen

let before = []; // what was there before each change
let empty = true;
let last = null; // where the pen was, while it is down
let told = 0;

const blank = () => {
  pen.fillStyle = "black";
  pen.fillRect(0, 0, SIDE, SIDE);
  empty = true;
};

// The words on the empty board.
const mark = () => (find(".board p").hidden = !empty);

const remember = () => {
  before = [...before, { pixels: pen.getImageData(0, 0, SIDE, SIDE), empty }].slice(-MOST);
};

const tell = () => {
  told = performance.now();
  mark();
  props.value = empty ? "" : canvas.toDataURL("image/png");
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
  const pixels = pen.getImageData(0, 0, SIDE, SIDE).data;
  const vanishes = contrast(pixels, 255) < FAINT && contrast(pixels, 0) >= FAINT;
  pen.globalCompositeOperation = "destination-over";
  pen.fillStyle = vanishes ? "black" : "white";
  pen.fillRect(0, 0, SIDE, SIDE);
  pen.globalCompositeOperation = "source-over";
};

// The middle of a picture fills the square; the browser turns it upright and knows every format that it shows.
const fill = (picture) => {
  const side = Math.min(picture.width, picture.height);
  pen.clearRect(0, 0, SIDE, SIDE);
  pen.imageSmoothingQuality = "high";
  const [left, top] = [(picture.width - side) / 2, (picture.height - side) / 2];
  pen.drawImage(picture, left, top, side, side, 0, 0, SIDE, SIDE);
  lay();
  empty = false;
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
  return [((event.clientX - box.x) / box.width) * SIDE, ((event.clientY - box.y) / box.height) * SIDE];
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
  if (event.button) return;
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  find(".problem").textContent = "";
  remember();
  empty = false;
  last = at(event);
  stroke(last, last);
});
canvas.addEventListener("pointermove", (event) => {
  if (!last) return;
  const to = at(event);
  stroke(last, to);
  last = to;
  if (performance.now() - told > EVERY) tell();
});
for (const kind of ["pointerup", "pointercancel"])
  canvas.addEventListener(kind, () => {
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
  empty = earlier.empty;
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
  if (last || props.value === (empty ? "" : canvas.toDataURL("image/png"))) return;
  const wanted = props.value;
  if (!wanted) blank();
  else {
    const picture = new Image();
    picture.src = wanted;
    await picture.decode();
    if (props.value !== wanted) return;
    // A condition map stays as sharp as it is.
    pen.imageSmoothingEnabled = picture.width >= SIDE;
    fill(picture);
    pen.imageSmoothingEnabled = true;
  }
  before = [];
  mark();
};

blank();
watch("value", show);
show();
