// The rows of a LoRA panel: what gr.HTML runs with `element`, `props`, `trigger` and `watch`. props.value is a
// list of { id, title, trigger, strength, on, sampler, uploaded, preview, note, kind, kinds }; all but the preview, which the
// server has drawn anew, is anyone's text, so it only ever becomes text. What a person changes is "input" to the
// page, and "settled" once a slider is let go; rows that the server sends are drawn silently.
const [list, budget, total, balance] = [".loras", ".budget", ".budget span", ".budget button"].map((selector) =>
  element.querySelector(selector),
);
const LIMIT = 2;
const BUDGET = 1; // of strength, which styles share; as in actions/loras.py
const HIGH = 1.3; // from there on pictures are seen to suffer

const make = (tag, values = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), values);
  made.append(...children);
  return made;
};

const change = (id, values) => {
  props.value = props.value.map((row) => (row.id === id ? { ...row, ...values } : row));
  trigger("input");
  weigh();
};

// Styles that are on, and their strengths where these share the budget. What brings a sampler is no style.
const shares = () => {
  const styles = (props.value || []).filter((row) => row.on && !row.sampler);
  const sum = styles.reduce((sum, row) => sum + Math.abs(row.strength), 0);
  return { sum, own: new Map(styles.map((row) => [row.id, Math.round((20 * BUDGET * row.strength) / sum) / 20])) };
};

const weigh = () => {
  const { sum, own } = shares();
  const balanced = (props.value || []).every((row) => !own.has(row.id) || own.get(row.id) === row.strength);
  budget.hidden = sum <= (own.size > 1 ? BUDGET : HIGH) || balanced;
  total.textContent =
    sum > HIGH ? `Strengths add up to ${sum.toFixed(2)}: over about ${HIGH} pictures tend to fall apart.` : "";
};

balance.addEventListener("click", () => {
  const { own } = shares();
  props.value = props.value.map((row) => (own.has(row.id) ? { ...row, strength: own.get(row.id) } : row));
  draw();
  trigger("input");
  trigger("settled");
});

const words = (row) => {
  if (!row.trigger) return [];
  const chip = make("button", { className: "chip", textContent: row.trigger, title: "Add to the prompt" });
  chip.dataset.add = row.trigger;
  return [make("p", { className: "trigger" }, "Trigger words: ", chip)];
};

// What a file makes of a model, where its name is none of its own.
const madeFor = (row) => {
  if (!row.kinds?.length) return [];
  const list = make("select", {}, ...row.kinds.map(([kind, title]) => new Option(title, kind, false, kind === row.kind)));
  list.setAttribute("aria-label", `What ${row.title} is made for`);
  list.addEventListener("change", () => trigger("told", { id: row.id, kind: list.value }));
  return [make("p", { className: "trigger" }, "Its name does not say what it is made for: ", list)];
};

const draw = () => {
  const rows = props.value || [];
  list.replaceChildren(
    ...rows.map((row) => {
      const on = make("input", { type: "checkbox", checked: row.on });
      on.setAttribute("aria-label", `Use ${row.title}`);
      on.addEventListener("change", () => (change(row.id, { on: on.checked }), trigger("settled")));
      // Less than nothing is rarely meant: it is typed, and the slider reaches there only for what is there already.
      const range = make("input", { type: "range", max: LIMIT, step: 0.05 });
      const number = make("input", { type: "number", min: -LIMIT, max: LIMIT, step: 0.05 });
      range.setAttribute("aria-label", `Strength of ${row.title}`);
      number.setAttribute("aria-label", `Strength of ${row.title}`);
      const show = (strength) => {
        range.min = strength < 0 ? -LIMIT : 0;
        range.value = strength;
        number.value = +strength.toFixed(2) === strength ? strength.toFixed(2) : strength; // what is drawn, in full
      };
      show(row.strength);
      range.addEventListener("input", () => {
        number.value = (+range.value).toFixed(2);
        change(row.id, { strength: +range.value });
      });
      number.addEventListener("change", () => {
        const strength = Math.min(Math.max(number.valueAsNumber || 0, -LIMIT), LIMIT);
        show(strength);
        change(row.id, { strength });
        trigger("settled");
      });
      range.addEventListener("change", () => trigger("settled"));
      const remove = make("button", { className: "remove", textContent: "×", title: "Remove" });
      remove.setAttribute("aria-label", `Remove ${row.title}`);
      remove.addEventListener("click", () => {
        props.value = props.value.filter((each) => each.id !== row.id);
        draw();
        trigger("input");
        trigger("settled");
        if (row.uploaded) trigger("removed", { id: row.id });
      });
      const keep = make("button", { className: "keep", textContent: "Keep", title: "Save to the list for good" });
      keep.addEventListener("click", () => trigger("keep", { id: row.id }));
      const preview = row.preview ? [make("img", { src: row.preview, alt: "" })] : [];
      const note = row.note ? [make("p", { className: "trigger", textContent: row.note })] : [];
      const title = make("span", { textContent: row.title, title: row.title, translate: false });
      const head = make("label", {}, on, ...preview, title);
      const parts = [head, range, number, ...(row.uploaded ? [keep] : []), remove];
      return make("div", { className: "lora" }, ...parts, ...words(row), ...madeFor(row), ...note);
    }),
  );
  weigh();
};

watch("value", draw);
draw();
