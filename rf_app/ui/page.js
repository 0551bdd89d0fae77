// What Gradio has no part for: a picture's settings are sent to another tab; lists that are only passed through are
// silent; charts have tooltips.
() => {
  // Gradio looks for it at the root of the server: behind a root path it lies beside the page.
  document.querySelector('link[rel="manifest"]')?.setAttribute("href", "manifest.json");

  document.addEventListener("click", (event) => {
    const tab = event.target.closest?.('#tabs > .tab-wrapper [role="tab"]');
    if (tab) studio.keepTab(tab.id);
  });
  if (!location.hash && studio.keptTab()) studio.press(`#${studio.keptTab()}`);

  // A picture's settings go to another tab.
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-send]");
    if (!button) return;
    const { send, settings, picture, pixels } = button.dataset;
    const sent = JSON.parse(settings);
    if (pixels !== undefined) sent.image = button.closest("figure").querySelector("img").src;
    if (picture !== undefined) // what is begun from are its pixels, whose words are known
      sent.start = { image: button.closest("figure").querySelector("img").src, shows: sent.prompt, strength: 0.8 };
    document.querySelector(`#${send}-tab-button`)?.click();
    // With the moment in it, the same settings sent again are news.
    studio.put(`sent-${send}`, JSON.stringify({ ...sent, at: performance.now() }), 200);
    if (send !== "star") studio.show("body"); // that one stays where it is
  });

  // On a narrow page what a button asks for appears above or below the form.
  const ASKED = { "batch-go": "#batch-side", "edit-go": "#edit-side" };
  document.addEventListener("click", (event) => {
    const where = ASKED[event.target.closest?.("button")?.id];
    if (where && innerWidth <= 960) studio.show(where);
  });

  // A list says `input` whenever it loses the focus, and a model's own settings would take the place of those that were
  // set. It closes without a word where nothing else was chosen.
  const LIST = 'input[role="combobox"]';
  let before; // a choice by Enter or by a press is shown only after the focus is lost
  const onList = (event) => event.target.matches?.(LIST) && event.target;
  document.addEventListener("focus", (event) => onList(event) && (before = event.target.value), true);
  document.addEventListener("keydown", ({ key }) => key === "Enter" && (before = null), true);
  document.addEventListener("mousedown", ({ target }) => target.closest?.('[role="option"]') && (before = null), true);
  document.addEventListener("blur", (event) => {
    if (!onList(event) || event.target.value !== before) return; // of anything else Escape would be Stop
    event.stopImmediatePropagation();
    event.target.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  }, true);

  // What runs here, as text for a report.
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    const names = [...button.parentElement.querySelectorAll("dt")];
    const text = names.map((name) => `${name.textContent}: ${name.nextSibling.textContent}`).join("\n");
    studio.copy(text, button);
  });

  // A chart's point says what it is, under a mouse or a finger.
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  document.addEventListener("pointerover", (event) => {
    const point = event.target.closest?.("[data-tip]");
    tip.hidden = !point;
    if (!point) return;
    tip.textContent = point.dataset.tip;
    const box = point.getBoundingClientRect();
    const half = tip.offsetWidth / 2 + 8;
    tip.style.left = `${Math.min(Math.max(box.x + box.width / 2, half), innerWidth - half)}px`;
    tip.style.top = `${box.y + box.height / 2}px`;
  });
};
