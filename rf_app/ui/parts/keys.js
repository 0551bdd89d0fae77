// Keys for the hand that stays on the keyboard, with a list of them on "?"; and arrows among small pictures. Who
// speaks to the computer may switch the single letters off: they would come up in what is said.
{
  const OFF = "instaflow-keys-off";
  const LIST = [
    ["/ or Ctrl+K", "To the prompt"],
    ["Ctrl+Enter", "The tab’s main button: Generate, Compare, …"],
    ["Esc", "Stop, or close what is open"],
    ["R", "Another seed"],
    ["L", "Live: draw while you type"],
    ["1, 2, …", "First tab, second tab, …"],
    ["Arrows", "From picture to picture"],
    ["?", "This list"],
  ];
  const box = document.createElement("dialog");
  box.id = "keys";
  box.className = "sheet";
  box.setAttribute("aria-labelledby", "keys-title");
  const rows = LIST.map(([keys, what]) => `<dt><kbd>${keys}</kbd></dt><dd>${what}</dd>`).join("");
  box.innerHTML = `<h2 id="keys-title">Keyboard shortcuts</h2><dl>${rows}</dl>
    <label><input type="checkbox">Single letters and digits work</label><button class="act">Close</button>`;
  const single = box.querySelector("input");
  const isOff = () => studio.stored(() => localStorage.getItem(OFF));
  const open = () => {
    document.body.append(box);
    single.checked = !isOff();
    box.showModal();
  };
  single.addEventListener("change", () =>
    studio.stored(() => localStorage[single.checked ? "removeItem" : "setItem"](OFF, "1"))
  );
  box.addEventListener("click", (event) => {
    if (event.target === box || event.target.closest("button")) box.close();
  });
  document.addEventListener("click", (event) => event.target.closest?.("[data-shortcuts]") && open());

  const seen = (selector) => [...document.querySelectorAll(selector)].find((each) => each.checkVisibility());
  const press = (selector) => {
    const found = seen(selector);
    if (found && !found.disabled) found.click();
    return found;
  };
  const toPrompt = () => {
    const prompt = seen('[role="tabpanel"] textarea');
    prompt?.focus();
    prompt?.select();
    return prompt;
  };
  document.addEventListener("click", (event) => event.target.closest?.("[data-to-prompt]") && toPrompt());
  const tabs = () => document.querySelectorAll('#tabs > .tab-wrapper [role="tab"]:not([hidden])');
  const SINGLE = {
    "/": toPrompt,
    r: () => press(".dice"),
    l: () => press("#live input"),
    "?": () => (open(), true),
  };
  const STOP = ':is(button[id$="-stop"], #stop, #video-cancel)';

  // Each of Gradio's round choices is a group of its own, in which a browser's arrows go nowhere.
  const choose = (from, key) => {
    const all = [...from.closest("fieldset").querySelectorAll("input")];
    const to = all.at((all.indexOf(from) + (/Right|Down/.test(key) ? 1 : -1)) % all.length);
    if (!/^Arrow/.test(key)) return false;
    to.focus();
    to.click();
    return true;
  };

  // Among small pictures the arrows go to the next one, up and down to the nearest of the next row.
  const GROUPS = [".stage .enlarge", ".gallery .enlarge", ".kept .small", ".shelf h4 button"];
  const middle = (each) => {
    const { x, y, width, height } = each.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
  };
  const step = (from, key) => {
    if (from.type === "radio") return choose(from, key);
    const group = GROUPS.find((each) => from.matches?.(each));
    if (!group) return;
    const all = [...document.querySelectorAll(group)].filter((each) => each.checkVisibility());
    const at = all.indexOf(from);
    const [x, y] = middle(from);
    const far = (each) => {
      const down = (middle(each)[1] - y) * (key === "ArrowDown" ? 1 : -1);
      return down > 8 ? 4 * down + Math.abs(middle(each)[0] - x) : Infinity; // rows are farther than columns
    };
    const next = () => all.filter((each) => far(each) < Infinity).sort((a, b) => far(a) - far(b))[0];
    const to = { ArrowLeft: all[at - 1], ArrowRight: all[at + 1], Home: all[0], End: all.at(-1) };
    const found = key in to ? to[key] : next();
    found?.focus();
    return found;
  };

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    const typing = target.matches?.('textarea, select, input:not([type="checkbox"], [type="radio"], [type="range"])');
    const command = (event.ctrlKey || event.metaKey) && !event.altKey;
    if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
    let done = false;
    if (command && key.toLowerCase() === "k") done = toPrompt();
    else if (command && key === "Enter") done = press("button.primary");
    else if (command || event.altKey) return;
    else if (key === "Escape") done = !target.matches?.('[role="combobox"]') && press(STOP);
    else if (/^(Arrow|Home|End)/.test(key)) done = step(target, key);
    else if (typing || isOff()) return;
    else if (/^[1-9]$/.test(key)) done = (tabs()[key - 1]?.click(), tabs()[key - 1]);
    else done = SINGLE[key.toLowerCase()]?.();
    if (done) event.preventDefault();
  });
}
