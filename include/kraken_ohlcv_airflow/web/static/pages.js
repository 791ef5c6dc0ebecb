// What the pages do beyond links and forms; without it they still work.
"use strict";

const isFramed = window.parent !== window;

// Airflow's frame may not navigate the window around it, but a link of that window may.
for (const link of document.querySelectorAll("a[data-airflow]")) {
  link.target = "_top";
  link.addEventListener("click", (event) => {
    if (!isFramed || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const page = window.parent.document;
    const twin = page.createElement("a");
    twin.href = link.href;
    if (new URL(link.href).origin !== window.location.origin) {
      twin.target = "_blank";
      twin.rel = "noopener noreferrer";
    }
    page.body.append(twin);
    twin.click();
    twin.remove();
  });
}

for (const form of document.querySelectorAll("form[data-submit-on-change]")) {
  form.addEventListener("change", (event) => {
    if (event.target.matches("select")) form.requestSubmit();
  });
  // Fields left empty do not make the address longer.
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
}

// A second click must not start a second run.
for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener("submit", () => {
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  });
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(source.value);
    } catch {
      source.select(); // the frame may not write to the clipboard directly
      document.execCommand("copy");
      button.focus();
    }
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = before;
    }, 1500);
  });
}

// What a button costs at most stands beside it; whoever comes near it is told what it would cost now.
for (const cost of document.querySelectorAll("[data-price]")) {
  const form = cost.closest("form");
  const ask = async () => {
    form.removeEventListener("pointerenter", ask);
    form.removeEventListener("focusin", ask);
    try {
      const answer = await fetch(cost.dataset.price);
      const plan = await answer.json();
      if (plan.said || plan.detail) cost.textContent = plan.said || plan.detail;
    } catch {
      // What it costs at most still stands there.
    }
  };
  form.addEventListener("pointerenter", ask);
  form.addEventListener("focusin", ask);
}
