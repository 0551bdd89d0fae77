// The Edit tab in the browser alone: the form as JSON for the easel, and the wish for a picture that is kept.
{
  const SIDE = 512; // pixels of what a translation is given, as in translation.py
  // A picture that has come stays with its moment: one that was there before is no news.
  const form = (before, live, prompt, shows, strength, model, steps, guidance, seed, negative_prompt, width, height,
    loras, followed, inversion, mode, translation, translation_steps) => ({
    prompt, shows, strength, model, steps, guidance, seed, negative_prompt, width, height,
    inversion, mode, translation, translation_steps,
    live: live && (mode === "translate" || inversion !== "learned"), // which takes a minute
    size: mode === "translate" ? [SIDE, SIDE] : [width, height],
    loras: studio.used(loras),
    control: JSON.parse(followed),
    at: before.at,
    picture: before.picture,
  });
  const wish = (seed, locked) => {
    const next = locked ? seed : studio.randomSeed();
    return [next, `go:${performance.now()}:${studio.easelWish(next)}`];
  };
  // The tab opened for the first time is not empty, unless something is on its way here.
  const first = (sent) => {
    if (!sent && studio.easelIsEmpty?.()) document.querySelector("#edit-settings .chip").click();
    return [];
  };
  // To the Train tab, with the recipe chosen that makes translations.
  const train = () => {
    studio.press("#train-tab-button");
    studio.press('#train-recipe input[value="translate"]');
    return [];
  };
  window.studio = { ...window.studio, editForm: form, editWish: wish, firstEdit: first, trainTranslation: train };
}
