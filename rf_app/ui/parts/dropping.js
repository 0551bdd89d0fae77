// What is dragged over the page. A saved picture dropped anywhere goes to the restore button, LoRA files go to their
// upload button. A picture of the page itself, as one of the history, is dropped as if it were a file: on what takes
// pictures, or anywhere on another tab. A tab opens while something is held over it.
{
  const TAKES = "[data-drop], #train-pictures"; // they take files themselves
  const HOLD = 600; // milliseconds over a tab
  const TRIES = 200; // 50 ms each, until a small picture of the history is there in full
  let own = null; // the picture of the page that is being dragged
  let over = null; // the tab it is held over
  let opening;
  let depth = 0; // dragenter and dragleave come for every element on the way

  const mark = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  // One dropped where it came from, perhaps by mistake, is not meant.
  const meant = ({ target }) => target.closest?.(TAKES) || !own.checkVisibility();
  const hold = (tab) => {
    if (tab === over) return;
    clearTimeout(opening);
    over = tab;
    if (tab) opening = setTimeout(() => tab.click(), HOLD);
  };

  document.addEventListener("dragstart", ({ target }) => {
    own = target.closest?.("[data-kept]") ?? target;
    if (own.dataset?.kept) studio.put("sent-history", own.dataset.kept); // which shows it in full
  });
  document.addEventListener("dragend", () => {
    own = null;
    hold(null);
  });
  document.addEventListener("dragenter", (event) => carriesFiles(event) && !own && mark(1));
  document.addEventListener("dragleave", (event) => carriesFiles(event) && !own && mark(-1));
  document.addEventListener("dragover", (event) => {
    hold(event.target.closest?.('[role="tab"]') ?? null);
    if (own ? meant(event) : carriesFiles(event)) event.preventDefault();
  });

  const inFull = async (picture) => {
    const name = picture.dataset.kept?.split("/").at(-1);
    if (!name) return picture;
    for (let i = 0; i < TRIES; i++) {
      const link = document.querySelector(`#kept-full [download="instaflow-${name}"]`);
      if (link) return link.closest("figure").querySelector("img");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const dropAgain = async (picture, target) => {
    const image = await inFull(picture);
    if (!image) return;
    const blob = await (await fetch(image.src)).blob();
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([blob], `${image.alt || "picture"}.png`, { type: blob.type })); // captioned so
    target.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
  };
  document.addEventListener(
    "drop",
    (event) => {
      hold(null);
      if (!own || !event.isTrusted) return;
      event.preventDefault();
      event.stopPropagation();
      if (meant(event)) dropAgain(own, event.target);
      own = null;
    },
    true,
  );
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    mark(-depth);
    if (event.target.closest?.(TAKES)) return;
    const files = [...event.dataTransfer.files];
    const loras = files.filter((file) => file.name.toLowerCase().endsWith(".safetensors"));
    const boxes = [...document.querySelectorAll(loras.length ? ".lora-box" : ".restore-box")];
    // On the tab that is open, folded away or not; else on the first, which is opened for what it takes.
    const here = boxes.find((each) => each.closest('[role="tabpanel"]')?.checkVisibility());
    const input = (here ?? boxes[0])?.querySelector("input[type=file]");
    if (!input || !files.length) return;
    if (!here && (loras.length || files[0].type.startsWith("image/"))) studio.press("#generate-tab-button");
    const taken = new DataTransfer();
    for (const file of loras.length ? loras : files.slice(0, 1)) taken.items.add(file);
    input.files = taken.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
}
