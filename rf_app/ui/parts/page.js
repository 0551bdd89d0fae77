// What happens in the browser alone on several tabs: seeds, forms that are kept, and cues. A cue is a hidden text whose
// change asks the server, so it is another one every time; with the prompt it is for in it, a prompt set together with
// its cue asks only once.
{
  const cue = (prompt = "", kind = "go") => `${kind}:${performance.now()}:${prompt}`;
  const randomSeed = () => Math.floor(Math.random() * 4294967296);
  // Puts a text into a hidden text box, as soon as the page has one.
  const put = (id, text, tries = 1) => {
    const box = document.querySelector(`#${id} textarea`);
    if (!box) return tries && setTimeout(put, 50, id, text, tries - 1);
    box.value = text;
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  // A browser may allow no storage at all.
  const stored = (act) => {
    try {
      return act() ?? "";
    } catch {
      return "";
    }
  };
  const TAB = "instaflow-tab";
  const CUE = /^(?:live|go|opening):(\d+\.?\d*)(?::|$)/;
  // Presses a button of the page, as soon as it is there: what has just come is given its first value a frame later.
  const press = (selector, tries = 200) => {
    const found = document.querySelector(selector);
    if (found) requestAnimationFrame(() => requestAnimationFrame(() => found.click()));
    else if (tries) setTimeout(press, 50, selector, tries - 1);
  };
  let wishes = 0;
  let stopped = -1; // when Stop was pressed last
  window.studio = {
    ...window.studio,
    put,
    stored,
    press,
    // With the moment in it, the same wish again is news.
    tell: (id, wish) => put(id, JSON.stringify({ ...wish, at: performance.now() })),
    randomSeed,
    // Without https there is no clipboard but for what is selected.
    copy: (text, button) => {
      const box = document.createElement("textarea");
      box.value = text;
      button.after(box);
      box.select();
      document.execCommand("copy");
      box.remove();
      button.focus();
      button.textContent = "Copied";
    },
    // A form, as text: each tab of the browser finds its own again, and a new one that of the last change anywhere.
    kept: (name) => stored(() => sessionStorage.getItem(name) ?? localStorage.getItem(name)),
    keep: (name, form) =>
      stored(() => [sessionStorage, localStorage].forEach((to) => to.setItem(name, JSON.stringify(form)))),
    // The same page loaded anew is on the tab that it was on.
    keepTab: (button) => stored(() => sessionStorage.setItem(TAB, button)),
    keptTab: () => stored(() => sessionStorage.getItem(TAB)),
    used: (rows) => rows.filter((row) => row.on).map(({ id, strength }) => ({ id, strength })),
    uncover: (handle) => handle.parentElement.style.setProperty("--at", `${handle.value}%`), // of two pictures
    calm: () => matchMedia("(prefers-reduced-motion: reduce)").matches,
    show: (selector) =>
      document.querySelector(selector)?.scrollIntoView({ behavior: studio.calm() ? "auto" : "smooth" }),
    again: () => cue(),
    againIn: (id, before) => (document.getElementById(id)?.checkVisibility() ? cue() : before),
    once: (before) => before || cue("", "opening"), // only where nothing was asked for yet
    go: (seed, locked, prompt) => [locked ? seed : randomSeed(), cue(prompt)],
    fill: (...values) => [...values, cue()],
    // The last input becomes the number of the wish, by which the server knows a later one. One that has waited
    // here since before Stop was pressed is stopped, too.
    numbered: (...values) => {
      const made = values.map((each) => CUE.exec(each)?.[1]).find(Boolean);
      return [...values.slice(0, -1), made < stopped ? wishes : ++wishes];
    },
    // of the last wish before this
    soFar: (...values) => {
      stopped = performance.now();
      return [...values.slice(0, -1), wishes];
    },
  };
}
