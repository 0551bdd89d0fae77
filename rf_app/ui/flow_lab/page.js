// The Flow lab in the browser alone: a link to an experiment opens its tab, and the example is shown once.
{
  const open = (tries = 200) => {
    const button = document.querySelector("#flow-lab-tab-button");
    if (button) button.click();
    else if (tries) setTimeout(open, 50, tries - 1);
  };
  window.studio = {
    ...window.studio,
    // Not where an experiment has been asked for, or a link asks for one.
    firstFlow: (before) =>
      before || studio.asked || location.hash.startsWith("#flow-lab=") ? before : studio.again(),
    // Without https there is no clipboard but for what is selected.
    copy: (text, button) => {
      const box = document.createElement("textarea");
      box.value = text;
      button.after(box);
      box.select();
      document.execCommand("copy");
      box.remove();
      button.focus();
      button.textContent = "Copied";
    },
  };
  if (location.hash.startsWith("#flow-lab=")) open();
}
