// What Gradio has no part for: a saved picture dropped anywhere on the page goes to the restore button,
// and a phrase of the hint goes into the prompt when it is clicked.
() => {
  const carriesFiles = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
  let ownDrag = false; // a picture of the page dragged out, perhaps by mistake, is not one dropped in
  let depth = 0; // dragenter and dragleave come for every element on the way
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  document.addEventListener("dragstart", () => (ownDrag = true));
  document.addEventListener("dragend", () => (ownDrag = false));
  document.addEventListener("dragenter", (event) => carriesFiles(event) && !ownDrag && mark(1));
  document.addEventListener("dragleave", (event) => carriesFiles(event) && !ownDrag && mark(-1));
  document.addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    mark(-depth);
    const input = document.querySelector("#restore-box input[type=file]");
    if (ownDrag || !input || !event.dataTransfer.files.length) return;
    const one = new DataTransfer();
    one.items.add(event.dataTransfer.files[0]);
    input.files = one.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  document.addEventListener("click", (event) => {
    const phrase = event.target.closest?.("[data-add]");
    if (!phrase) return;
    const prompt = document.querySelector("#prompt textarea");
    prompt.value = `${prompt.value.trimEnd()} ${phrase.dataset.add}`.trim();
    prompt.dispatchEvent(new Event("input", { bubbles: true }));
    prompt.focus();
  });
};
