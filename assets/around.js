// Moving around: dialogs over the page, keys from anywhere, the place one was at in each room.
(() => {
  "use strict";
  const doc = document, beck = window.beck, mac = /Mac|iPhone|iPad/.test(navigator.platform);
  const shown = () => doc.querySelector("dialog[open]");
  const links = () => [...doc.querySelectorAll(".sidebar .room-link:not(.unread-link)")];

  // The next room of the list in that direction, or the next one with something unread; round the ends.
  const step = (by, unread) => {
    const all = links(), at = all.findIndex(link => link.matches(".here")), n = all.length;
    for (let i = 1; i <= n; i++) {
      const to = all[(((at < 0 && by < 0 ? 0 : at) + by * i) % n + n) % n];
      if (!to.matches(".here") && (!unread || to.matches(".unread, :has(.count)"))) { to.click(); return; }
    }
  };

  // The chosen line of the switcher, and what was typed when it was chosen.
  let typed;
  const lines = () => [...doc.querySelectorAll(".switcher-line")];
  const chosen = () => lines().findIndex(line => line.getAttribute("aria-selected") === "true");
  const choose = n => {
    const all = lines(), to = all[(n + all.length) % all.length], field = doc.querySelector(".switcher-field");
    for (const line of all) line.setAttribute("aria-selected", String(line === to));
    to?.scrollIntoView({ block: "nearest" });
    if (to) field.setAttribute("aria-activedescendant", to.id); else field?.removeAttribute("aria-activedescendant");
    typed = doc.querySelector(".switcher-list")?.dataset.query;
  };
  // Enter may come before the list of what was typed is drawn.
  const go = (frames = 60) => {
    const list = doc.querySelector(".switcher-list"), query = doc.querySelector(".switcher-field")?.value;
    if (!list) return;
    if (list.dataset.query !== query) { if (frames) requestAnimationFrame(() => go(frames - 1)); return; }
    if (typed !== query) choose(0);
    lines()[chosen()]?.click();
  };

  // What is typed between Ctrl K and the switcher being drawn is meant for it.
  let ahead = null;

  addEventListener("keydown", e => {
    if (e.isComposing || e.keyCode === 229) return;
    const el = e.target instanceof Element ? e.target : doc.body, dialog = shown();
    if (ahead !== null && !dialog && !e.ctrlKey && !e.metaKey && !e.altKey && (e.key.length === 1 || e.key === "Enter")) {
      ahead += e.key === "Enter" ? "\n" : e.key; e.preventDefault(); e.stopImmediatePropagation();
      return;
    }
    const command = (mac ? e.metaKey : e.ctrlKey) && !e.altKey && !e.shiftKey, typing = el.matches("input, textarea, select, [contenteditable]");
    if (command && e.key.toLowerCase() === "k") {
      e.preventDefault();
      if (dialog) { dialog.close(); return; }
      ahead = ""; setTimeout(() => (ahead = null), 1000);
      beck.emit("dialog", "switcher");
    } else if (!dialog && ((command && e.key === "/") || (e.key === "?" && !typing && !e.ctrlKey && !e.metaKey && !e.altKey))) {
      e.preventDefault(); beck.emit("dialog", "keys");
    } else if (dialog) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[e.key];
      if (e.key === "Escape") { e.preventDefault(); e.stopImmediatePropagation(); dialog.close(); }
      else if (by && el.matches(".switcher-field")) { e.preventDefault(); choose(chosen() + by); }
      else if (e.key === "Enter" && el.matches(".switcher-field")) { e.preventDefault(); go(); }
    } else if (e.altKey && !e.ctrlKey && !e.metaKey && (e.key === "ArrowUp" || e.key === "ArrowDown")) {
      e.preventDefault(); step(e.key === "ArrowUp" ? -1 : 1, e.shiftKey);
    }
  }, true);

  // Escape that closes nothing marks as read. Last of all: whoever had a use for the key said so.
  doc.addEventListener("keydown", e => {
    if (e.key !== "Escape" || e.defaultPrevented || e.isComposing || e.keyCode === 229) return;
    const el = e.target instanceof Element ? e.target : doc.body;
    if (el.matches("input, textarea:not(.composer textarea)") || el.closest(".timeline, .menu, .pop")) return;
    const thread = el.closest(".thread");
    if (thread) thread.querySelector(".close-thread").click(); else if (e.shiftKey) beck.emit("read-all"); else beck.emit("read");
  });

  // Chromium gives a field the focus back while the dialog still makes it inert, and then it takes no key.
  const focus = el => { el.blur(); el.focus({ preventScroll: true }); };
  doc.addEventListener("close", e => {
    if (!(e.target instanceof Element && e.target.matches("dialog"))) return;
    beck.emit("dialog", "");
    if (doc.activeElement.matches("input, textarea")) focus(doc.activeElement);
  }, true);
  doc.addEventListener("click", e => {
    const el = shown();
    if (!el || !(e.target instanceof Element)) return;
    const { left, right, top, bottom } = el.getBoundingClientRect();
    const outside = e.target === el && (e.clientX < left || e.clientX > right || e.clientY < top || e.clientY > bottom);
    if (outside || e.target.closest("[data-closes]")) el.close();
  });

  Object.assign(beck, {
    dialog(open) { // what was drawn is shown, or is other than before
      const el = doc.querySelector("dialog");
      if (open && el && !el.open) { el.showModal(); (el.querySelector("[autofocus]") ?? el).focus(); } else if (!open) shown()?.close();
      if (!el?.matches(".switcher")) return;
      choose(0);
      if (ahead) {
        const field = el.querySelector(".switcher-field"), [text, ...enter] = ahead.split("\n");
        field.value = text; field.dispatchEvent(new Event("input", { bubbles: true }));
        if (enter.length) go();
      }
      ahead = null;
    },
    insert(text) {
      shown()?.close();
      requestAnimationFrame(() => { // what stands below a dialog takes nothing until then
        const el = doc.querySelector(".thread .composer textarea") ?? doc.querySelector(".composer textarea");
        if (!el) return;
        focus(el);
        const before = el.value.slice(0, el.selectionStart);
        doc.execCommand("insertText", false, (before && !/\s$/.test(before) ? " " : "") + text); // so that it can be undone
      });
    },
  });
})();
