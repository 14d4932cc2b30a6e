// Lists of messages: scroll anchor, edges, what is seen, the row in the tab order. A room has one, the thread beside it another.
(() => {
  "use strict";
  const doc = document, root = doc.documentElement, beck = window.beck, NEAR = 600, PINNED = 100;
  const places = new Map(), panes = new Map(); // scroll element -> what is known of it
  const top = el => el.getBoundingClientRect().top, hidden = el => getComputedStyle(el).visibility === "hidden";
  // Rows are held by their text: dividers go where older rows of their day come, and a row's own head may go then, too.
  const point = li => li.querySelector(".text") ?? li;

  // scrollTop is 0 at the newest message and negative above it.
  const paneOf = (scroll, list) => {
    const lane = list.dataset.lane, place = `${list.dataset.room}/${lane}`, since = new Map(), asked = {};
    let anchors = [], known = 0, pinned = null, last = null, roving = null, raised = 0, edge = 0, timer = 0, newLine = null;
    const rowAt = (i, step) => { let li; while ((li = list.children[i]) && !li.dataset.ordinal) i += step; return li ?? null; };
    const newest = () => rowAt(list.children.length - 1, -1);
    const more = end => list.querySelector(`:scope > .edge.${end}`);
    const rowOf = n => list.querySelector(`:scope > .row[data-ordinal="${Number(n)}"]`);
    const firstBelow = (y, lo = 0, hi = list.children.length) => { // index of the first line whose foot is below y
      while (lo < hi) { const mid = (lo + hi) >> 1; if (list.children[mid].getBoundingClientRect().bottom > y) hi = mid; else lo = mid + 1; }
      return lo;
    };
    const record = () => {
      anchors = [];
      known = scroll.scrollTop;
      const view = scroll.getBoundingClientRect();
      edge = view.top;
      for (let i = firstBelow(view.top), li; (li = list.children[i]) && top(li) < view.bottom; i++) if (li.matches(".row")) anchors.push([li, top(point(li))]);
      if (anchors.length > 1 && anchors[0][1] < view.top) anchors.push(anchors.shift()); // prefer one whose text begins in view
    };
    const restore = () => { // before paint: what was on the screen stays where it was
      if (!scroll.clientHeight) return;
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
      if (!was || was.row !== row || (moved && now - was.at > 3000)) { asked[end] = { row, at: now }; beck.emit(end, lane); }
    };
    const edges = moved => {
      const view = scroll.getBoundingClientRect(), first = rowAt(0, 1), end = newest();
      if (doc.readyState !== "loading") { // else the other rows may be still to come
        ask("older", first, first && top(first) > view.top - NEAR, moved);
        ask("newer", end, end && end.getBoundingClientRect().bottom < view.bottom + NEAR, moved);
        const line = lane === "0" ? list.querySelector(":scope > .new") : null, where = !line || top(line) > view.bottom ? null : top(line) < view.top ? "new-above" : "new-seen";
        if (where && where !== newLine) beck.emit(newLine = where);
      }
      // What lies under a thread is not looked at.
      const now = scroll.scrollTop > -PINNED && !more("newer") && !hidden(scroll);
      if (now !== pinned) { pinned = now; beck.emit(now ? "pinned" : "unpinned", lane); }
      look();
    };
    const look = () => { // which row has been on the screen for a second
      clearTimeout(timer);
      if (doc.visibilityState !== "visible" || !doc.hasFocus() || hidden(scroll)) { since.clear(); return; }
      const view = scroll.getBoundingClientRect(), now = performance.now(), seen = new Set();
      for (let i = firstBelow(view.top); i < list.children.length; i++) {
        const li = list.children[i], n = Number(li.dataset.ordinal), r = li.getBoundingClientRect();
        if (r.top >= view.bottom) break;
        if (n > raised && (r.bottom <= view.bottom + 2 || r.top <= view.top)) seen.add(n);
      }
      for (const n of seen) if (!since.has(n)) since.set(n, now);
      const best = Math.max(0, ...[...seen].filter(n => now - since.get(n) >= 1000));
      if (best > raised) { raised = best; beck.emit("visible", `${lane} ${best}`); }
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
      const [li, at] = anchors[0] ?? [];
      sizes.disconnect(); since.clear(); clearTimeout(timer);
      if (pinned || !li?.dataset.ordinal) places.delete(place); else places.set(place, [li.dataset.ordinal, at - edge]);
    };
    const arrive = () => {
      const found = list.querySelector(":scope > .found"), [n, off] = places.get(place) ?? [], li = n && rowOf(n);
      if (found) found.scrollIntoView({ block: "center" });
      else if (li) scroll.scrollTop += top(point(li)) - top(scroll) - off;
      enter();
    };
    const sizes = new ResizeObserver(restore);
    const moved = () => { if (Math.abs(scroll.scrollTop - known) > 1) record(); edges(true); }; // not what restore did
    const step = (el, key) => {
      const all = [...list.querySelectorAll(".row > article")], i = all.indexOf(el), to = all[{ ArrowUp: i - 1, ArrowDown: i + 1, Home: 0, End: all.length - 1 }[key]];
      if (to) { focusRow(to); to.scrollIntoView({ block: "nearest" }); record(); }
    };
    const show = n => {
      const row = rowOf(n), el = row?.querySelector(".message");
      if (!el) return;
      row.scrollIntoView({ block: "center" }); focusRow(el); record(); edges(true);
      const wash = { backgroundColor: getComputedStyle(root).getPropertyValue("--wash") };
      el.animate([{ ...wash, offset: 0 }, { ...wash, offset: .9 }, { offset: 1 }], 1400);
    };
    const to_bottom = () => { scroll.scrollTop = 0; record(); edges(true); };
    const start = () => { arrive(); sizes.observe(list); sizes.observe(scroll); };
    return { list, lane, start, arrive, leave, restore, edges, look, rove, focusRow, moved, step, show, to_bottom };
  };

  const paneAt = el => panes.get(el.closest(".scroll")), inLane = lane => [...panes.values()].find(pane => pane.lane === String(lane));
  // A thread that comes to lie over its room takes the focus, and gives it back to the way to it.
  let began = false;
  const hand = (came, gone) => {
    const el = came && doc.querySelector(".thread"), covered = panes.size > 1 && hidden(inLane(0)?.list ?? root);
    if (el && covered && !el.contains(doc.activeElement)) { el.tabIndex = -1; el.focus({ preventScroll: true }); }
    else if (gone && doc.activeElement === doc.body) doc.querySelector(`.thread-link[href$="/thread/${gone.lane}"]`)?.focus({ preventScroll: true });
  };
  const adopt = () => { // Dioxus may replace lists on navigation
    let changed = false, came = null, gone = null;
    const now = new Map();
    for (const scroll of doc.querySelectorAll(".scroll")) { const list = scroll.querySelector(":scope > .timeline[data-room]"); if (list) now.set(scroll, list); }
    for (const [scroll, pane] of panes) if (now.get(scroll) !== pane.list) { pane.leave(); panes.delete(scroll); changed = true; if (pane.lane !== "0") gone = pane; }
    for (const [scroll, list] of now) if (!panes.has(scroll)) { const pane = paneOf(scroll, list); panes.set(scroll, pane); pane.start(); changed = true; if (pane.lane !== "0") came = pane; }
    if (changed) for (const pane of panes.values()) pane.edges(false); // one may have come to lie over another
    if (began) hand(came, gone);
    return changed;
  };
  const changed = all => { if (!adopt()) for (const pane of panes.values()) if (all.some(c => pane.list.contains(c.target))) { pane.restore(); pane.rove(); } };
  new MutationObserver(changed).observe(doc, { childList: true, subtree: true, characterData: true });
  // The list is adopted while the page is parsed: the row that its address names may come later.
  doc.addEventListener("DOMContentLoaded", () => { began = true; for (const pane of panes.values()) pane.arrive(); });
  doc.addEventListener("scroll", e => panes.get(e.target)?.moved(), { capture: true, passive: true });
  addEventListener("resize", () => { for (const pane of panes.values()) pane.edges(false); });

  addEventListener("keydown", e => {
    const el = e.target instanceof Element ? e.target : doc.body;
    if (e.isComposing || e.keyCode === 229 || !el.matches(".message") || e.ctrlKey || e.metaKey || e.altKey) return;
    const n = el.parentNode.dataset.ordinal, pane = paneAt(el);
    if (e.key === "u" && Number(n) && pane) { e.preventDefault(); beck.emit("mark-unread", `${pane.lane} ${n}`); }
    else if (["ArrowUp", "ArrowDown", "Home", "End"].includes(e.key) && !e.shiftKey) { e.preventDefault(); pane?.step(el, e.key); }
  }, true);
  doc.addEventListener("focusin", e => { if (e.target instanceof Element && e.target.matches(".row > article")) paneAt(e.target)?.focusRow(e.target); });

  Object.assign(beck, {
    look() { for (const pane of panes.values()) pane.look(); },
    to_bottom(lane) { inLane(lane)?.to_bottom(); },
    to_ordinal(lane, n) { inLane(lane)?.show(n); },
  });
  adopt();
})();
