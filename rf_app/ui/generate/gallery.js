// The pictures of the stage, or of a batch: enlarged one by one in a dialog; those of the stage are saved
// together in one ZIP.
{
  const box = document.createElement("dialog");
  box.id = "lightbox";
  box.setAttribute("aria-label", "The picture, enlarged");
  box.innerHTML = `<button data-close aria-label="Close">×</button>
    <button data-turn="-1" aria-label="The one before">‹</button><div></div>
    <button data-turn="1" aria-label="The next one">›</button>`;
  const MARGIN = 48; // CSS pixels around the picture
  const BELOW = 76; // and for its buttons
  let shown = "#stage"; // where they are
  const all = () => [...document.querySelectorAll(`${shown} figure:has(img)`)]; // more may come while this is open
  let at = 0;

  const fit = () => box.open && show(at);
  const show = (to) => {
    const figures = all();
    if (!figures.length) return box.close();
    at = (to + figures.length) % figures.length;
    const image = figures[at].querySelector("img");
    if (!image.naturalWidth) { // one of a batch, far down, where nobody has looked yet
      image.loading = "eager";
      image.addEventListener("load", fit, { once: true });
    }
    const figure = figures[at].cloneNode(true);
    const { naturalWidth, naturalHeight } = image;
    const room = Math.min((innerWidth - MARGIN) / naturalWidth, (innerHeight - MARGIN - BELOW) / naturalHeight);
    // Each pixel of a small picture becomes as many of the screen's; a large one is as large as can be.
    const whole = Math.floor(room * devicePixelRatio);
    figure.querySelector("img").style.width = `${naturalWidth * (whole > 1 ? whole / devicePixelRatio : room)}px`;
    figure.querySelector(".enlarge")?.remove();
    box.querySelector("div").replaceChildren(figure);
    box.classList.toggle("one", figures.length === 1);
  };

  box.addEventListener("click", (event) => {
    const turn = event.target.closest("[data-turn]");
    if (turn) show(at + +turn.dataset.turn);
    else if (!event.target.closest("figure") || event.target.closest('.send:not([data-send="star"])')) box.close();
  });
  box.addEventListener("close", () => all()[at]?.querySelector(".enlarge")?.focus({ preventScroll: true }));
  document.addEventListener("keydown", (event) => {
    const turn = box.open && { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (turn) show(at + turn);
  });
  window.addEventListener("resize", fit);
  document.addEventListener("click", (event) => {
    const figure = event.target.closest?.(":is(#stage, .gallery) figure > :is(img, .enlarge)")?.parentElement;
    if (figure) {
      shown = figure.closest(".gallery") ? ".gallery" : "#stage";
      document.body.append(box);
      show(all().indexOf(figure));
      box.showModal();
    }
    if (event.target.closest?.("[data-download]")) save([...document.querySelectorAll("#stage figure")]);
  });

  const crc32 = (bytes) => {
    let crc = ~0;
    for (const byte of bytes) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 && 0xedb88320);
    }
    return ~crc >>> 0;
  };
  // A record of a ZIP (APPNOTE.TXT 4.3); sizes: the bytes of each value.
  const record = (sizes, ...values) => {
    const view = new DataView(new ArrayBuffer([...sizes].reduce((sum, size) => sum + +size, 0)));
    let offset = 0;
    values.forEach((value, i) => {
      if (sizes[i] === "4") view.setUint32(offset, value, true);
      else view.setUint16(offset, value, true);
      offset += +sizes[i];
    });
    return view;
  };
  // PNGs do not get smaller: they are stored as they are.
  const save = (figures) => {
    const now = new Date();
    const time = (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1);
    const date = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
    const [parts, entries] = [[], []];
    let [offset, size] = [0, 0];
    for (const figure of figures) {
      const text = atob(figure.querySelector("img").src.split(",")[1]);
      const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
      const name = new TextEncoder().encode(figure.querySelector(".save").download);
      const about = [20, 0x800, 0, time, date, crc32(bytes), bytes.length, bytes.length, name.length, 0];
      parts.push(record("42222244422", 0x04034b50, ...about), name, bytes);
      entries.push(record("42222224442222244", 0x02014b50, 20, ...about, 0, 0, 0, 0, offset), name);
      offset += 30 + name.length + bytes.length;
      size += 46 + name.length;
    }
    const end = record("42222442", 0x06054b50, 0, 0, figures.length, figures.length, size, offset, 0);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([...parts, ...entries, end], { type: "application/zip" }));
    link.download = figures[0].querySelector(".save").download.replace(/png$/, "zip");
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };
}
