// Marks in the prompt what the model does not read as it is meant: what gr.HTML runs with `element` and `watch`.
// A copy of the text without its letters lies over the text box, scrolled as it is, and carries the marks. Between
// two readings from the server the marks move with the text: they keep what both texts begin and end with.
{
  const COPIED = ["font", "padding", "letterSpacing", "textAlign", "direction", "unicodeBidi"];
  const marks = document.createElement("div");
  marks.className = "marks";
  marks.setAttribute("aria-hidden", "true");
  marks.translate = false; // in any language it is as long as what was typed
  let open = false; // whether what it knows is unfolded
  let pieces = [];

  // [text, kind] of the pieces between two places of their text
  const cut = (from, to) => {
    let at = 0;
    return pieces.flatMap(([text, kind]) => {
      const [start, end] = [Math.max(from - at, 0), Math.min(to - at, text.length)];
      at += text.length;
      return start < end ? [[text.slice(start, end), kind]] : [];
    });
  };

  const draw = () => {
    const box = document.querySelector("#prompt textarea");
    if (!box) return;
    const [text, read] = [box.value, pieces.map(([piece]) => piece).join("")];
    const shorter = Math.min(text.length, read.length);
    let [same, tail] = [0, 0];
    while (same < shorter && text[same] === read[same]) same++;
    while (tail < shorter - same && text.at(-1 - tail) === read.at(-1 - tail)) tail++;
    const typed = [text.slice(same, text.length - tail), ""];
    marks.replaceChildren(
      ...[...cut(0, same), typed, ...cut(read.length - tail, read.length)].map(([piece, kind]) =>
        Object.assign(document.createElement(kind ? "mark" : "span"), { className: kind, textContent: piece })
      ),
      "\u200b" // a last line that is empty is a line, too
    );
    if (marks.previousElementSibling !== box) {
      box.after(marks);
      new ResizeObserver(place).observe(box);
      box.addEventListener("input", draw);
      box.addEventListener("scroll", place);
    }
    place();
  };

  const place = () => {
    const box = marks.previousElementSibling;
    const style = getComputedStyle(box);
    for (const name of COPIED) marks.style[name] = style[name];
    const { offsetLeft, offsetTop, clientLeft, clientTop, clientWidth, clientHeight } = box;
    const [left, top] = [offsetLeft + clientLeft, offsetTop + clientTop];
    const sides = { left, top, width: clientWidth, height: clientHeight }; // without border and scroll bar
    for (const [side, pixels] of Object.entries(sides)) marks.style[side] = `${pixels}px`;
    marks.scrollTop = box.scrollTop;
  };

  const shown = () => {
    pieces = JSON.parse(element.querySelector("[data-pieces]")?.dataset.pieces ?? "[]");
    const known = element.querySelector("details");
    if (known) {
      known.open = open;
      known.ontoggle = () => (open = known.open); // often the same element as before
    }
    draw();
  };

  watch("value", shown);
  shown();
  // The text box may come after this.
  const waiting = setInterval(() => (marks.isConnected ? clearInterval(waiting) : draw()), 100);
}
