// The Interpolate tab in the browser alone: the way as JSON from the fields, which is kept, and the video once there is
// one.
{
  const KEPT = "instaflow-way";
  let left = studio.kept(KEPT);
  // The position stays, unless a row became a square or the other way round; with another "at", one that was
  // there before is news.
  const way = (before, shape, model, steps, guidance, solver, negative_prompt, width, height, decoder, noise, text,
    loras, followed, ...keys) => {
    const square = shape === "square";
    const key_frames = [];
    for (let i = 0; i < (square ? 4 : +shape); i++)
      key_frames.push({ prompt: keys[2 * i], seed: keys[2 * i + 1] });
    const kept = (before.position.length === 2) === square;
    const position = kept ? before.position : square ? [0.5, 0.5] : [0];
    const control = JSON.parse(followed);
    const rest = { model, steps, guidance, solver, negative_prompt, width, height, decoder, noise, text };
    const made = { key_frames, position, at: before.at, ...rest, loras: studio.used(loras), control };
    studio.keep(KEPT, { interpolation: made });
    return made;
  };
  const video = (file) => {
    if (!file) return "";
    return file.path.endsWith(".webp")
      ? `<img src="${file.url}" alt="The video">`
      : `<video src="${file.url}" ${studio.calm() ? "" : "autoplay loop"} muted playsinline controls></video>`;
  };
  // Once, and not where another tab's settings are on their way here.
  const wayLeft = (sent) => {
    const found = sent || left;
    left = "";
    return found;
  };
  window.studio = { ...window.studio, way, wayLeft, wayFrom: (...fields) => fields, video };
}
