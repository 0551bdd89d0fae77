// A small picture of the history opens in full. On a narrow page that is below all of them, and for the first one it is
// not there before the server has answered.
{
  const TRIES = 100; // 50 ms each
  const show = (tries = TRIES) => {
    if (document.querySelector("#kept-side")?.checkVisibility()) studio.show("#kept-side");
    else if (tries) setTimeout(show, 50, tries - 1);
  };
  document.addEventListener("click", (event) => {
    const name = event.target.closest?.("[data-kept]")?.dataset.kept;
    if (!name) return;
    studio.put("sent-history", name);
    if (innerWidth <= 960) show();
  });
}
