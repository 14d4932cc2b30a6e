// Pointers, keys and fingers on messages: which one is active, long press, menus, the box that edits. Rust decides.
(() => {
  "use strict";
  const doc = document, beck = window.beck, GAP = 8, LONG_PRESS = 450;
  const phone = matchMedia("(max-width: 719.98px)"), coarse = matchMedia("(pointer: coarse)");
  const rowOf = el => (el instanceof Element ? el.closest(".timeline > .row[data-ordinal]") : null);
  // A row is told by its lane and its ordinal there.
  const spotOf = li => (li ? `${li.parentNode.dataset.lane} ${li.dataset.ordinal}` : "");
  const row = spot => { const [lane, n] = String(spot).split(" ").map(Number); return doc.querySelector(`.timeline[data-lane="${lane}"] > .row[data-ordinal="${n}"]`); };
  const floating = () => doc.querySelector(".floating"), bar = () => doc.querySelector(".actions");

  // The active message has the bar. Nothing moves by it: the bar floats.
  let active = null, told = "";
  const put = () => {
    const el = bar(), scroll = el?.closest(".scroll");
    if (!el || !scroll) return;
    const li = row(el.dataset.for);
    if (!li) return;
    const above = li.matches(".first") ? 3 : 15, y = li.getBoundingClientRect().top - scroll.getBoundingClientRect().top;
    el.style.top = `${Math.max(y - above, 2) + scroll.scrollTop}px`;
  };
  const activate = li => {
    if (li !== active) {
      if (active) delete active.dataset.active;
      active = li;
      if (li) li.dataset.active = "1";
    }
    if (told !== spotOf(li)) { told = spotOf(li); beck.emit("active", told); }
  };
  doc.addEventListener("pointerover", e => {
    if (e.pointerType !== "mouse" || floating()) return;
    if (e.target instanceof Element && e.target.closest(".actions")) return;
    const li = rowOf(e.target);
    if (li || !doc.activeElement?.closest?.(".actions")) activate(li);
  });
  doc.documentElement.addEventListener("pointerleave", () => { if (!floating()) activate(rowOf(doc.activeElement)); });
  doc.addEventListener("focusin", e => {
    if (coarse.matches || floating()) return;
    const li = rowOf(e.target);
    if (li && e.target.matches(":focus-visible")) activate(li);
  });
  doc.addEventListener("scroll", e => { if (e.target instanceof Element && e.target.matches(".scroll")) put(); }, { capture: true, passive: true });

  // What is open over the list, next to where it was asked for.
  let from = null, back = null;
  const near = el => {
    if (phone.matches) { el.style.removeProperty("left"); el.style.removeProperty("top"); return; }
    const { width, height } = el.getBoundingClientRect(), li = row(el.dataset.for);
    const by = from ?? (bar() ?? li ?? doc.body).getBoundingClientRect();
    const left = from ? from.x : by.right - width, below = (from ? from.y : by.bottom) + 4, above = (from ? from.y : by.top) - height - 4;
    const top = below + height + GAP <= innerHeight ? below : above;
    el.style.left = `${Math.max(GAP, Math.min(left, innerWidth - width - GAP))}px`;
    el.style.top = `${Math.max(GAP, Math.min(top, innerHeight - height - GAP))}px`;
  };
  const stops = el => [...el.querySelectorAll("button, input")].filter(one => !one.disabled);
  const wish = (kind, li, at = null) => { from = at; back = doc.activeElement; activate(li); beck.emit(kind, spotOf(li)); };
  addEventListener("resize", () => { const el = floating(); if (el) near(el); put(); });

  // A finger that rests opens the menu; one that moves scrolls.
  let press = 0, at = null, rested = false;
  const lift = () => { clearTimeout(press); press = 0; };
  doc.addEventListener("pointerdown", e => {
    lift(); rested = false;
    const li = e.pointerType !== "mouse" && rowOf(e.target);
    if (!li || e.target.closest("a, button, input, textarea")) return;
    at = [e.clientX, e.clientY];
    press = setTimeout(() => { press = 0; rested = true; navigator.vibrate?.(10); wish("menu", li); }, LONG_PRESS);
  });
  doc.addEventListener("pointermove", e => { if (press && Math.hypot(e.clientX - at[0], e.clientY - at[1]) > 10) lift(); }, { passive: true });
  for (const what of ["pointerup", "pointercancel", "scroll"]) doc.addEventListener(what, lift, { capture: true, passive: true });
  // The click that ends a rest is none.
  doc.addEventListener("click", e => { if (rested) { rested = false; e.preventDefault(); e.stopPropagation(); } }, true);
  doc.addEventListener("contextmenu", e => {
    const li = rowOf(e.target);
    if (!li || e.shiftKey || e.target.closest("a, input, textarea, .edit-box")) return;
    if (press || rested) { e.preventDefault(); return; } // the finger's own menu comes
    if (getSelection().toString()) return; // a click on an icon leaves a selection without text in Firefox
    e.preventDefault();
    wish("menu", li, e.button === 2 ? { x: e.clientX, y: e.clientY } : null);
  });
  doc.addEventListener("click", e => { if (e.target instanceof Element && e.target.closest(".actions")) { from = null; back = doc.activeElement; } }, true);

  addEventListener("keydown", e => {
    if (e.isComposing || e.keyCode === 229) return;
    const el = e.target instanceof Element ? e.target : doc.body, open = floating();
    const plain = !(e.ctrlKey || e.metaKey || e.altKey);
    if (open) {
      const all = stops(open), i = all.indexOf(doc.activeElement), grid = open.matches(".picker");
      const wide = grid ? Math.max(1, Math.round((open.querySelector(".grid.all")?.clientWidth ?? 0) / (all[1]?.offsetWidth || 36))) : 1;
      const typing = el.matches("input");
      const step = { ArrowDown: grid && !typing ? wide : 1, ArrowUp: grid && !typing ? -wide : -1, ArrowRight: typing ? 0 : 1, ArrowLeft: typing ? 0 : -1 }[e.key];
      if (e.key === "Escape") { e.preventDefault(); e.stopImmediatePropagation(); beck.emit("close"); }
      else if (e.key === "Tab") { e.preventDefault(); all[(i + (e.shiftKey ? -1 : 1) + all.length) % all.length]?.focus(); }
      else if (e.key === "Enter" && typing) { e.preventDefault(); open.querySelector(".grid .pick")?.click(); }
      else if (step) { e.preventDefault(); (all[i + step] ?? (step > 0 ? all[all.length - 1] : all[0]))?.focus(); }
      else if (!typing && plain && (e.key === "Home" || e.key === "End")) { e.preventDefault(); all[e.key === "Home" ? 0 : all.length - 1]?.focus(); }
      return;
    }
    if (el.matches(".edit-box textarea")) {
      if (e.key === "Escape") { e.preventDefault(); e.stopImmediatePropagation(); beck.emit("close"); beck.composer_focus(el.closest(".timeline").dataset.lane); }
      else if (e.key === "Enter" && !e.shiftKey && !coarse.matches) { e.preventDefault(); if (!e.repeat) el.form.requestSubmit(); }
      return;
    }
    if (el.matches(".composer textarea")) {
      if (e.key === "ArrowUp" && plain && !e.shiftKey && !el.value) { e.preventDefault(); beck.emit("edit-last", el.form.dataset.lane); }
      else if (e.key === "Escape" && el.form.querySelector(".answers")) { e.preventDefault(); beck.emit("close"); }
      return;
    }
    if (!el.matches(".message") || !plain) return;
    const kind = { r: "reply", t: "thread", e: "edit", "+": "pick", Delete: "delete", Enter: "menu", ContextMenu: "menu" }[e.key] ?? (e.shiftKey && e.key === "F10" ? "menu" : null);
    const li = kind && rowOf(el);
    if (li) { e.preventDefault(); wish(kind, li); }
  }, true);

  const editBox = () => doc.querySelector(".edit-box textarea");
  const grow = CSS.supports("field-sizing", "content") ? () => {} : el => { el.style.height = "auto"; el.style.height = `${Math.min(el.scrollHeight, innerHeight * .4)}px`; };
  doc.addEventListener("input", e => { if (e.target instanceof Element && e.target.matches(".edit-box textarea")) grow(e.target); }, true);
  // A line of a list that leads somewhere closes the list.
  doc.addEventListener("click", e => { if (e.target instanceof Element && e.target.closest("[data-closes]")) { const pop = e.target.closest("details"); if (pop) pop.open = false; } });

  doc.addEventListener("click", e => { if (e.target instanceof Element && e.target.closest("[data-dismiss]")) beck.emit("close"); });

  const used = list => { try { return localStorage.getItem("beck:" + list) ?? ""; } catch { return ""; } };
  Object.assign(beck, {
    place(is) { if (is) requestAnimationFrame(put); else if (active && !rowOf(doc.activeElement)) activate(null); },
    opened(open) {
      const el = floating();
      if (open && el) {
        near(el);
        // What does no harm; on a phone the sheet itself: no ring, no keyboard.
        const first = coarse.matches ? el : el.querySelector("input, .link, .menu-item") ?? stops(el)[0];
        if (first === el) el.tabIndex = -1;
        first.focus({ preventScroll: true });
      } else if (!open) {
        if (back?.isConnected && doc.activeElement === doc.body) back.focus({ preventScroll: true });
        back = null; from = null;
        if (coarse.matches) activate(null); // a finger stays nowhere
      }
    },
    edit_begin(text) {
      const el = editBox();
      if (!el) return;
      el.value = text; grow(el); el.focus({ preventScroll: true }); el.setSelectionRange(text.length, text.length);
      el.closest(".row")?.scrollIntoView({ block: "nearest" });
    },
    edit_text() { return editBox()?.value ?? ""; },
    edit_named() { return beck.named(editBox()?.form); },
    copy_link(path) { beck.copy(new URL(path, location.href).href); },
    used(list, what) { try { localStorage.setItem("beck:" + list, [what, ...used(list).split(" ").filter(one => one && one !== what)].slice(0, 16).join(" ")); } catch { /* nothing is kept here */ } },
    recent: used,
  });
})();
