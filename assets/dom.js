// What the page does by itself: scroll anchor, composer, keys, focus. Rust talks to it through window.beck.
(() => {
  "use strict";
  const doc = document, root = doc.documentElement, NEAR = 600, PINNED = 100;

  // Events to Rust: kept until it is there, and never sent while it is on the stack.
  let send = null;
  const kept = [];
  const flush = () => { while (send && kept.length) { const [kind, text] = kept.shift(); try { send(kind, text); } catch (e) { console.error(e); } } };
  const emit = (kind, text = "") => { kept.push([kind, text]); if (kept.length > 64) kept.shift(); queueMicrotask(flush); };

  // The timeline. scrollTop is 0 at the newest message and negative above it.
  let scroll = null, list = null, anchors = [], known = 0, pinned = null, last = null, roving = null, raised = 0, edge = 0, timer = 0, newLine = null;
  const since = new Map(), asked = {}, places = new Map();
  const rowAt = (i, step) => { let li; while ((li = list.children[i]) && !li.dataset.ordinal) i += step; return li ?? null; };
  const newest = () => rowAt(list.children.length - 1, -1);
  const more = end => list.querySelector(`:scope > .edge.${end}`), top = el => el.getBoundingClientRect().top;
  const firstBelow = (y, lo = 0, hi = list.children.length) => { // index of the first line whose foot is below y
    while (lo < hi) { const mid = (lo + hi) >> 1; if (list.children[mid].getBoundingClientRect().bottom > y) hi = mid; else lo = mid + 1; }
    return lo;
  };
  // Rows are held by their text: dividers go where older rows of their day come, and a row's own head may go then, too.
  const point = li => li.querySelector(".text") ?? li;
  const record = () => {
    anchors = [];
    known = scroll.scrollTop;
    const view = scroll.getBoundingClientRect();
    edge = view.top;
    for (let i = firstBelow(view.top), li; (li = list.children[i]) && top(li) < view.bottom; i++) if (li.matches(".row")) anchors.push([li, top(point(li))]);
    if (anchors.length > 1 && anchors[0][1] < view.top) anchors.push(anchors.shift()); // prefer one whose text begins in view
  };
  const restore = () => { // before paint: what was on the screen stays where it was
    if (!scroll || !scroll.clientHeight) return;
    const end = newest(), at = anchors.findIndex(([li]) => li.parentNode === list);
    if (anchors.length && at < 0) { scroll.scrollTop = 0; enter(); return; } // other rows altogether
    if (pinned) { if (end !== last && scroll.scrollTop) scroll.scrollTop = 0; if (end !== last) record(); }
    else if (at >= 0) {
      const by = top(point(anchors[at][0])) - anchors[at][1];
      if (Math.abs(by) > .4) { scroll.scrollTop += by; known = scroll.scrollTop; }
      if (at > 4) record();
    }
    last = end; edges(false);
  };
  const ask = (end, row, close, moved) => {
    const was = asked[end], now = performance.now();
    if (!close || !row || !more(end)) { asked[end] = null; return; }
    if (!was || was.row !== row || (moved && now - was.at > 3000)) { asked[end] = { row, at: now }; emit(end); }
  };
  const edges = moved => {
    const view = scroll.getBoundingClientRect(), first = rowAt(0, 1), end = newest();
    if (doc.readyState !== "loading") { // else the other rows may be still to come
      ask("older", first, first && top(first) > view.top - NEAR, moved);
      ask("newer", end, end && end.getBoundingClientRect().bottom < view.bottom + NEAR, moved);
      const line = doc.getElementById("new"), where = !line || top(line) > view.bottom ? null : top(line) < view.top ? "new-above" : "new-seen";
      if (where && where !== newLine) emit(newLine = where);
    }
    const now = scroll.scrollTop > -PINNED && !more("newer");
    if (now !== pinned) { pinned = now; emit(now ? "pinned" : "unpinned"); }
    look();
  };
  const look = () => { // which row has been on the screen for a second
    clearTimeout(timer);
    if (!scroll || doc.visibilityState !== "visible" || !doc.hasFocus()) { since.clear(); return; }
    const view = scroll.getBoundingClientRect(), now = performance.now(), seen = new Set();
    for (let i = firstBelow(view.top); i < list.children.length; i++) {
      const li = list.children[i], n = Number(li.dataset.ordinal), r = li.getBoundingClientRect();
      if (r.top >= view.bottom) break;
      if (n > raised && (r.bottom <= view.bottom + 2 || r.top <= view.top)) seen.add(n);
    }
    for (const n of seen) if (!since.has(n)) since.set(n, now);
    const best = Math.max(0, ...[...seen].filter(n => now - since.get(n) >= 1000));
    if (best > raised) { raised = best; emit("visible", String(best)); }
    for (const n of since.keys()) if (!seen.has(n) || n <= raised) since.delete(n);
    if (since.size) timer = setTimeout(look, 250);
  };
  const rove = () => { // one row is in the tab order: the focused one, or else the newest
    if (roving && roving.isConnected && roving === doc.activeElement) return;
    const to = newest()?.querySelector(".message") ?? null;
    if (to !== roving) { if (roving) roving.tabIndex = -1; roving = to; if (to) to.tabIndex = 0; }
  };
  const focusRow = el => { if (roving && roving !== el) roving.tabIndex = -1; roving = el; el.tabIndex = 0; el.focus({ preventScroll: true }); };
  const enter = () => { since.clear(); pinned = newLine = null; raised = 0; asked.older = asked.newer = null; last = newest(); record(); edges(false); rove(); };
  const leave = () => { // where one was, for when one comes back: the first row in view, and how far below the edge
    const room = list?.dataset.room, [li, at] = anchors[0] ?? [];
    if (!room) return;
    if (pinned || !li?.dataset.ordinal) places.delete(room); else places.set(room, [li.dataset.ordinal, at - edge]);
  };
  const arrive = () => {
    const found = list.querySelector(":scope > .found"), [n, off] = places.get(list.dataset.room) ?? [], li = n && doc.getElementById("m-" + n);
    if (found) found.scrollIntoView({ block: "center" });
    else if (li) scroll.scrollTop += top(point(li)) - top(scroll) - off;
    enter();
  };
  // The list is adopted while the page is parsed: the row that its address names may come later.
  doc.addEventListener("DOMContentLoaded", () => { if (list) arrive(); });
  const sizes = new ResizeObserver(restore);
  const adopt = () => { // Dioxus may replace the list on navigation
    const now = doc.querySelector(".scroll"), ol = now && now.querySelector(".timeline");
    if (now === scroll && ol === list) return false;
    leave();
    sizes.disconnect(); since.clear(); clearTimeout(timer);
    scroll = ol ? now : null; list = ol; anchors = []; roving = null;
    if (!scroll) return true;
    arrive();
    sizes.observe(list); sizes.observe(scroll);
    return true;
  };
  const changed = all => { if (!adopt() && list && all.some(c => list.contains(c.target))) { restore(); rove(); } };
  new MutationObserver(changed).observe(doc, { childList: true, subtree: true, characterData: true });
  doc.addEventListener("scroll", e => {
    if (e.target !== scroll) return;
    if (Math.abs(scroll.scrollTop - known) > 1) record(); // not what restore did
    edges(true);
  }, { capture: true, passive: true });

  // The composer. Its text belongs to the browser; Rust asks for it.
  let sent = null; // the form that is being sent: there may be another one beside it
  addEventListener("submit", e => { sent = e.target instanceof Element && e.target.matches(".composer") ? e.target : null; setTimeout(() => { sent = null; }); }, true);
  const put = new WeakMap(), box = () => (sent ?? doc).querySelector(sent ? "textarea" : ".composer textarea"), isBox = el => el instanceof Element && el.matches(".composer textarea");
  let composing = false, wait = 0;
  const grow = CSS.supports("field-sizing", "content") ? () => {} : el => { el.style.height = "auto"; el.style.height = Math.min(el.scrollHeight, innerHeight * .4) + "px"; };
  const say = (el = box()) => { clearTimeout(wait); wait = 0; if (el) emit("input", el.form.dataset.room + "\n" + el.value); };
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
      if (pop) { pop.open = false; pop.querySelector("summary").focus(); } else if (el.closest(".timeline")) beck.composer_focus();
      if (pop || el.closest(".timeline")) e.preventDefault();
    } else if (el.matches(".message") && e.key === "u" && !(e.ctrlKey || e.metaKey || e.altKey)) {
      const n = el.parentNode.dataset.ordinal;
      if (n) { e.preventDefault(); emit("mark-unread", n); }
    } else if (el.matches(".message") && ["ArrowUp", "ArrowDown", "Home", "End"].includes(e.key) && !(e.ctrlKey || e.metaKey || e.altKey || e.shiftKey)) {
      const all = [...list.querySelectorAll(".row > article")], i = all.indexOf(el), to = all[{ ArrowUp: i - 1, ArrowDown: i + 1, Home: 0, End: all.length - 1 }[e.key]];
      e.preventDefault();
      if (to) { focusRow(to); to.scrollIntoView({ block: "nearest" }); record(); }
    }
  }, true);
  doc.addEventListener("focusin", e => { if (e.target instanceof Element && e.target.matches(".row > article")) focusRow(e.target); });
  doc.addEventListener("click", e => {
    for (const el of doc.querySelectorAll("details.pop[open]")) if (!el.contains(e.target)) el.open = false;
  });

  // Waking up: whatever may have been missed meanwhile.
  const wake = why => { emit("wake", why); look(); };
  for (const why of ["online", "pageshow"]) addEventListener(why, () => wake(why));
  const attend = () => { emit("attending", doc.visibilityState === "visible" && doc.hasFocus() ? "1" : ""); look(); };
  for (const why of ["focus", "blur"]) addEventListener(why, attend);
  doc.addEventListener("visibilitychange", () => { attend(); if (doc.visibilityState === "visible") wake("visible"); else if (wait) say(); });
  let tick = Date.now();
  setInterval(() => { const gap = Date.now() - tick; tick += gap; if (gap > (doc.visibilityState === "visible" ? 15000 : 90000)) wake("slept"); }, 5000);

  // Phones whose keyboard does not shrink the page.
  window.visualViewport?.addEventListener("resize", ({ target: { scale, height } }) => {
    if (scale === 1 && innerHeight - height > 80) { root.style.setProperty("--view", height + "px"); scrollTo(0, 0); } else root.style.removeProperty("--view");
  });

  const beck = {
    emit,
    attach(callback) { send = callback; if (send && box()?.value) say(); queueMicrotask(flush); },
    live() { root.dataset.live = "1"; attend(); },
    signed_in() { emit("signed-in"); },
    composer_text() { return box()?.value ?? ""; },
    composer_set(text, force) {
      const el = box();
      if (!el || el.value === text || (!force && el.value && el.value !== put.get(el))) return; // the person typed
      if (composing && el === doc.activeElement) { if (force) el.addEventListener("compositionend", () => setTimeout(() => beck.composer_set(text, true)), { once: true }); return; }
      el.value = text; put.set(el, text); el.setSelectionRange(text.length, text.length); grow(el);
    },
    composer_focus() { box()?.focus(); },
    offer(room, text) { if (box()?.form.dataset.room === room) beck.composer_set(text, false); },
    compose(room, text) {
      const el = box();
      if (!el || el.form.dataset.room !== room) return;
      beck.composer_set(el.value.trim() ? text + "\n" + el.value : text, true);
      el.focus(); say();
    },
    to_bottom() { if (scroll) { scroll.scrollTop = 0; record(); edges(true); } },
    to_ordinal(n) {
      const row = doc.getElementById("m-" + n), el = row?.querySelector(".message");
      if (!el) return false;
      row.scrollIntoView({ block: "center" }); focusRow(el); record(); edges(true);
      const wash = { backgroundColor: getComputedStyle(root).getPropertyValue("--wash") };
      el.animate([{ ...wash, offset: 0 }, { ...wash, offset: .9 }, { offset: 1 }], 1400);
      return true;
    },
  };
  window.beck = beck;
  adopt();
})();
