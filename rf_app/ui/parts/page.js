// What happens in the browser alone on several tabs: seeds, and cues. A cue is a hidden text whose change asks
// the server, so it is another one every time; with the prompt it is for in it, a prompt set together with its
// cue asks only once.
{
  const cue = (prompt = "") => `go:${performance.now()}:${prompt}`;
  const randomSeed = () => Math.floor(Math.random() * 4294967296);
  window.studio = {
    ...window.studio,
    randomSeed,
    again: () => cue(),
    once: (before) => before || cue(), // only where nothing was asked for yet
    go: (seed, locked, prompt) => [locked ? seed : randomSeed(), cue(prompt)],
    fill: (...values) => [...values, cue()],
  };
}
