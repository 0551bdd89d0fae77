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
}
