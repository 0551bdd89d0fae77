// The rows of a LoRA panel: what gr.HTML runs with `element`, `props`, `trigger` and `watch`. props.value is a
// list of { id, title, trigger, strength, on, uploaded, preview, note }; all but the preview, which the server
// has drawn anew, is anyone's text, so it only ever becomes text. props.keeps: whether somebody listens to "keep". What a person changes is "input" to the
// page, and "settled" once a slider is let go; rows that the server sends are drawn silently.
const list = element.querySelector(".loras");
const LIMIT = 2;

const make = (tag, values = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), values);
  made.append(...children);
  return made;
};

const change = (id, values) => {
  props.value = props.value.map((row) => (row.id === id ? { ...row, ...values } : row));
  trigger("input");
};

const words = (row) => {
  if (!row.trigger) return [];
  const chip = make("button", { className: "chip", textContent: row.trigger, title: "Add to the prompt" });
  chip.dataset.add = row.trigger;
  return [make("p", { className: "trigger" }, "Trigger words: ", chip)];
};

const draw = () => {
  const rows = props.value || [];
  list.replaceChildren(
    ...rows.map((row) => {
      const on = make("input", { type: "checkbox", checked: row.on });
      on.setAttribute("aria-label", `Use ${row.title}`);
      on.addEventListener("change", () => (change(row.id, { on: on.checked }), trigger("settled")));
      const range = make("input", { type: "range", min: -LIMIT, max: LIMIT, step: 0.05, value: row.strength });
      range.setAttribute("aria-label", `Strength of ${row.title}`);
      const number = make("output", { textContent: row.strength.toFixed(2) });
      range.addEventListener("input", () => {
        number.textContent = (+range.value).toFixed(2);
        change(row.id, { strength: +range.value });
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
      const head = make("label", {}, on, ...preview, make("span", { textContent: row.title, title: row.title }));
      const parts = [head, range, number, ...(row.uploaded && props.keeps ? [keep] : []), remove];
      return make("div", { className: "lora" }, ...parts, ...words(row), ...note);
    }),
  );
};

watch("value", draw);
draw();
