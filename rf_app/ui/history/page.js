// A small picture of the history opens in full.
document.addEventListener("click", (event) => {
  const name = event.target.closest?.("[data-kept]")?.dataset.kept;
  if (!name) return;
  studio.put("sent-history", name);
  if (innerWidth <= 960) studio.show("#kept-side");
});
