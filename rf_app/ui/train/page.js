// A button of a job says what to do with which.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-act]");
  const { act, job } = button?.dataset ?? {};
  const more = act === "lengthen" ? button.parentElement.querySelector("input").value : undefined;
  if (act) studio.tell("sent-train", { act, job, more });
});
// On a narrow page a job that has begun stands above the form.
{
  const jobs = () => document.querySelectorAll("#train-jobs li").length;
  const show = (before, tries = 100) => {
    if (jobs() > before) studio.show("#train-side");
    else if (tries) setTimeout(show, 50, before, tries - 1);
  };
  document.addEventListener("click", (event) => {
    if (innerWidth <= 960 && event.target.closest?.("#train-start")) show(jobs());
  });
}
