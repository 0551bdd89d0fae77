// What happens in the browser alone on the Compare tab.
window.studio = {
  ...window.studio,
  uncover: (handle) => handle.parentElement.style.setProperty("--at", `${handle.value}%`),
};
