// What a tab's pictures follow: what gr.HTML runs with `element`, `props`, `trigger` and `watch`. props.value is a
// list of controls { model, image, strength, start, end, on }; what a person switches is "input" to the page.
const list = element.querySelector(".followed");

const draw = () => {
  const controls = props.value || [];
  list.hidden = !controls.length;
  list.replaceChildren(
    ...controls.map((control, index) => {
      const row = document.createElement("label");
      const on = Object.assign(document.createElement("input"), { type: "checkbox", checked: control.on });
      on.addEventListener("change", () => {
        props.value = props.value.map((each, i) => (i === index ? { ...each, on: on.checked } : each));
        trigger("input");
      });
      const map = Object.assign(document.createElement("img"), { alt: "Condition map" });
      map.src = `data:image/png;base64,${control.image}`;
      row.append(on, map, `Follow this, by ${control.model} at ${control.strength}`);
      return row;
    })
  );
};

watch("value", draw);
draw();
