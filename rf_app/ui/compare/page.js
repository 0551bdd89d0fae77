// What happens in the browser alone on the Compare tab. Its form is kept.
{
  const KEPT = "instaflow-compare";
  const FIELDS = ["model", "steps", "guidance", "solver", "negative_prompt"];
  let left = studio.kept(KEPT);
  const keepSides = (prompt, seed, locked, width, height, rows, ...fields) => {
    const sides = [];
    for (let i = 0; i < fields.length; i += FIELDS.length)
      sides.push(Object.fromEntries(FIELDS.map((name, j) => [name, fields[i + j]])));
    const shown = document.querySelectorAll("#sides .side").length;
    const form = { prompt, seed, locked, width, height, loras: studio.used(rows) };
    studio.keep(KEPT, { ...form, sides: sides.slice(0, shown) });
    return [];
  };
  window.studio = {
    ...window.studio,
    keepSides,
    // Panels that a picture's styles and drawings have opened push what is compared out of sight.
    sidesInSight: () => {
      const look = () => {
        const far = document.querySelector("#compare-headline").getBoundingClientRect().top > innerHeight / 2;
        if (far) studio.show(innerWidth <= 960 ? "#compare-headline" : "#side-by-side");
      };
      setTimeout(look, 400); // they open slowly
      return [];
    },
    // The tab is opened. The first time: the form as it was left, or the first example.
    openedSides: (cue, sent) => {
      const found = cue || sent ? "" : left;
      left = "";
      return [found ? cue : studio.once(cue), found];
    },
  };
}
