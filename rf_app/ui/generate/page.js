// The cue of the Generate tab: "live:…" follows the typing, "go:…" is asked for. An unchanged cue is no event.
{
  const live = (prompt) => `live:${performance.now()}:${prompt}`;
  window.studio = {
    ...window.studio,
    dice: (on, cue, prompt) => [studio.randomSeed(), on ? live(prompt) : cue],
    live: (on, cue, prompt) => (on ? live(prompt) : cue),
    liveText: (on, cue, prompt) =>
      on && cue.replace(/^\w+:[\d.]+:/, "") !== prompt ? live(prompt) : cue,
    example: (prompt, seed) => [prompt, seed, `go:${performance.now()}:${prompt}`],
  };

  document.addEventListener("click", (event) => {
    // A phrase of the hint goes into the prompt.
    const phrase = event.target.closest?.("[data-add]");
    if (phrase) {
      const prompt = document.querySelector("#prompt textarea");
      prompt.value = `${prompt.value.trimEnd()} ${phrase.dataset.add}`.trim();
      prompt.dispatchEvent(new Event("input", { bubbles: true }));
      prompt.focus();
    }
    // A picture becomes what the next one follows. With the moment in it, the same one sent again is news.
    const picture = event.target.closest?.("[data-follow]")?.closest("figure").querySelector("img");
    if (picture) studio.put("sent-control", `${performance.now()} ${picture.src}`, 200);
  });
}
