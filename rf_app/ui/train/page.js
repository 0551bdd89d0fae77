// A button of a job says what to do with which.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-act]");
  const { act, job } = button?.dataset ?? {};
  const more = act === "lengthen" ? button.parentElement.querySelector("input").value : undefined;
  if (act) studio.tell("sent-train", { act, job, more });
});
