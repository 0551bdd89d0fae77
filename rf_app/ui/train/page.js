// A button of a job says what to do with which.
document.addEventListener("click", (event) => {
  const { act, job } = event.target.closest?.("[data-act]")?.dataset ?? {};
  if (act) studio.tell("sent-train", { act, job });
});
