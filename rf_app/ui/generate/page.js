// The cue of the Generate tab: "live:…" follows the typing, "go:…" is asked for. An unchanged cue is no event.
// The form is kept in the browser.
{
  const KEPT = "instaflow-form";
  const left = studio.kept(KEPT); // as the page found it: the page's own first values are kept, too
  const keepForm = (
    ...[prompt, model, steps, guidance, seed, locked, count, live, solver, negative_prompt, rows, ...size]
  ) => {
    const [loras, off] = [rows, rows.map((row) => ({ ...row, on: !row.on }))].map(studio.used);
    const form = { prompt, model, steps, guidance, seed, locked, count, live, solver, negative_prompt };
    const [width, height, decoder] = size;
    studio.keep(KEPT, { ...form, loras, off, width, height, decoder });
    return [];
  };
  const live = (prompt) => `live:${performance.now()}:${prompt}`;
  window.studio = {
    ...window.studio,
    dice: (on, cue, prompt) => [studio.randomSeed(), on ? live(prompt) : cue],
    live: (on, cue, prompt) => (on ? live(prompt) : cue),
    liveText: (on, cue, prompt) =>
      on && cue.replace(/^\w+:[\d.]+:/, "") !== prompt ? live(prompt) : cue,
    liveNegative: (on, cue, prompt) => (on && document.activeElement?.closest("#negative") ? live(prompt) : cue),
    left: () => [left],
    keepForm,
    starred: (sent) => {
      const { at, ...settings } = JSON.parse(sent);
      const same = JSON.stringify(settings);
      for (const button of document.querySelectorAll('[data-send="star"]'))
        if (JSON.stringify(JSON.parse(button.dataset.settings)) === same) button.textContent = "★ Kept";
      return [];
    },
    example: (prompt, seed) => [prompt, seed, `go:${performance.now()}:${prompt}`],
  };

  document.addEventListener("click", (event) => {
    // A phrase goes into the prompt: in the place of what the model has read there, or at the end.
    const phrase = event.target.closest?.("[data-add]");
    if (phrase) {
      const prompt = document.querySelector("#prompt textarea");
      const { add, at } = phrase.dataset;
      const read = at && JSON.parse(phrase.closest("[data-pieces]").dataset.pieces).map(([text]) => text).join("");
      if (at && read !== prompt.value) return; // its place is of another text: what was typed since is being read
      const letters = [...prompt.value]; // as the server counts them
      if (at) letters.splice(at.split(" ")[0], at.split(" ")[1] - at.split(" ")[0], add);
      prompt.value = at ? letters.join("") : `${prompt.value.trimEnd()} ${add}`.trim();
      prompt.dispatchEvent(new Event("input", { bubbles: true }));
      prompt.focus();
    }
    // As many pictures as the prompt has choices.
    const many = event.target.closest?.("[data-pictures]");
    if (many) {
      const count = document.querySelector("#count input[type=number]");
      count.value = many.dataset.pictures;
      count.dispatchEvent(new Event("input", { bubbles: true }));
      setTimeout(() => document.querySelector("#go").click(), 50);
    }
    // A picture becomes what the next one follows. With the moment in it, the same one sent again is news.
    const picture = event.target.closest?.("[data-follow]")?.closest("figure").querySelector("img");
    if (picture) studio.put("sent-control", `${performance.now()} ${picture.src}`, 200);

    // Its seed is taken.
    const use = event.target.closest?.("[data-use]");
    if (use) {
      const seed = document.querySelector("#seed input");
      const lock = document.querySelector("#lock input");
      if (!lock.checked) lock.click();
      seed.value = use.dataset.use;
      seed.dispatchEvent(new Event("input", { bubbles: true }));
    }
  });
}
