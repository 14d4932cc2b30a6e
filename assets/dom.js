// What the page does by itself: events for Rust, composers, keys, waking. Rust talks to it through window.beck.
(() => {
  "use strict";
  const doc = document, root = doc.documentElement;

  // Events to Rust: kept until it is there, and never sent while it is on the stack.
  let send = null;
  const kept = [];
  const flush = () => { while (send && kept.length) { const [kind, text] = kept.shift(); try { send(kind, text); } catch (e) { console.error(e); } } };
  const emit = (kind, text = "") => { kept.push([kind, text]); if (kept.length > 64) kept.shift(); queueMicrotask(flush); };

  // The composer. Its text belongs to the browser; Rust asks for it.
  let sent = null; // the form that is being sent: there may be another one beside it
  addEventListener("submit", e => { sent = e.target instanceof Element && e.target.matches(".composer") ? e.target : null; setTimeout(() => { sent = null; }); }, true);
  const put = new WeakMap(), box = () => (sent ?? doc).querySelector(sent ? "textarea" : ".composer textarea"), isBox = el => el instanceof Element && el.matches(".composer textarea");
  const boxOf = draft => doc.querySelector(`.composer[data-draft="${CSS.escape(draft)}"] textarea`), boxBy = el => el.closest(".thread")?.querySelector(".composer textarea") ?? box();
  let composing = false, wait = 0;
  const grow = CSS.supports("field-sizing", "content") ? () => {} : el => { el.style.height = "auto"; el.style.height = Math.min(el.scrollHeight, innerHeight * .4) + "px"; };
  const say = (el = box()) => { clearTimeout(wait); wait = 0; if (el) emit("input", el.form.dataset.draft + "\n" + el.value); };
  // The box of another room may stand there by then.
  doc.addEventListener("input", e => { if (!isBox(e.target)) return; grow(e.target); clearTimeout(wait); wait = setTimeout(say, 300, e.target); }, true);
  doc.addEventListener("focusout", e => { if (wait && isBox(e.target)) say(e.target); }, true);
  for (const what of ["compositionstart", "compositionend"]) doc.addEventListener(what, () => { composing = what === "compositionstart"; }, true);

  addEventListener("keydown", e => {
    if (e.isComposing || e.keyCode === 229) { e.stopImmediatePropagation(); return; }
    const el = e.target instanceof Element ? e.target : doc.body;
    if (isBox(el)) {
      if (e.key !== "Enter" || e.shiftKey || matchMedia("(pointer: coarse)").matches) return;
      e.preventDefault();
      if (el.value.trim() && !e.repeat) el.form.requestSubmit();
    } else if (e.key === "Escape") {
      const pop = doc.querySelector("details.pop[open]");
      if (pop) { pop.open = false; pop.querySelector("summary").focus(); } else if (el.closest(".timeline")) boxBy(el)?.focus();
      if (pop || el.closest(".timeline")) e.preventDefault();
    }
  }, true);
  doc.addEventListener("click", e => {
    for (const el of doc.querySelectorAll("details.pop[open]")) if (!el.contains(e.target)) el.open = false;
  });

  // Waking up: whatever may have been missed meanwhile.
  const wake = why => { emit("wake", why); beck.look(); };
  for (const why of ["online", "pageshow"]) addEventListener(why, () => wake(why));
  const attend = () => { emit("attending", doc.visibilityState === "visible" && doc.hasFocus() ? "1" : ""); beck.look(); };
  for (const why of ["focus", "blur"]) addEventListener(why, attend);
  doc.addEventListener("visibilitychange", () => { attend(); if (doc.visibilityState === "visible") wake("visible"); else if (wait) say(isBox(doc.activeElement) ? doc.activeElement : box()); });
  let tick = Date.now();
  setInterval(() => { const gap = Date.now() - tick; tick += gap; if (gap > (doc.visibilityState === "visible" ? 15000 : 90000)) wake("slept"); }, 5000);

  // Phones whose keyboard does not shrink the page.
  window.visualViewport?.addEventListener("resize", ({ target: { scale, height } }) => {
    if (scale === 1 && innerHeight - height > 80) { root.style.setProperty("--view", height + "px"); scrollTo(0, 0); } else root.style.removeProperty("--view");
  });

  const unname = form => { const field = form?.querySelector("input[name=named]"); if (field) field.value = ""; };

  const beck = {
    emit,
    attach(callback) { send = callback; if (send) for (const el of doc.querySelectorAll(".composer textarea")) if (el.value) say(el); queueMicrotask(flush); },
    live() { root.dataset.live = "1"; attend(); },
    signed_in() { emit("signed-in"); },
    composer_text() { return box()?.value ?? ""; },
    // Handles that were completed in the box of a form, with their accounts.
    named(form) { return form?.querySelector("input[name=named]")?.value ?? ""; },
    composer_named() { return beck.named(sent ?? box()?.form); },
    // What stood in a lane's composer is sent. The form is named: a script of the app runs when no form is being sent any more.
    composer_empty(lane) {
      const el = doc.querySelector(`.composer[data-lane="${Number(lane)}"] textarea`);
      if (el) { unname(el.form); beck.composer_set("", true, el); }
    },
    composer_set(text, force, el = box()) {
      if (!el || el.value === text || (!force && el.value && el.value !== put.get(el))) return; // the person typed
      if (composing && el === doc.activeElement) { if (force) el.addEventListener("compositionend", () => setTimeout(() => beck.composer_set(text, true, el)), { once: true }); return; }
      if (!el.value || !text.includes(el.value)) unname(el.form); // they were of another text
      el.value = text; put.set(el, text); el.setSelectionRange(text.length, text.length); grow(el);
    },
    composer_focus(lane) { (doc.querySelector(`.composer[data-lane="${Number(lane)}"] textarea`) ?? box())?.focus(); },
    offer(draft, text) { const el = boxOf(draft); if (el) beck.composer_set(text, false, el); },
    compose(draft, text) {
      const el = boxOf(draft);
      if (!el) return;
      beck.composer_set(el.value.trim() ? text + "\n" + el.value : text, true, el);
      el.focus(); say(el);
    },
    // Lines that come together are all read. None stays: its message may be deleted.
    announce(text) {
      const region = doc.querySelector(".live-region"), line = doc.createElement("p");
      if (!region) return;
      line.textContent = text; region.append(line); setTimeout(() => line.remove(), 5000);
      while (region.childElementCount > 20) region.firstElementChild.remove();
    },
    look() {}, // assets/list.js
  };
  window.beck = beck;
})();
