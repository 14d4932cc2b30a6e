// The page as a whole: what is copied, title and favicon, cookies of zone and theme, the bar after a panic.
(() => {
  "use strict";
  const doc = document, beck = window.beck, YEAR = 31536000;

  doc.addEventListener("click", e => {
    const from = e.target.closest("[data-copy], .copy-code");
    if (from) beck.copy(from.dataset.copy ?? from.parentNode.querySelector("code").textContent).then(ok => { if (ok) { from.dataset.copied = "1"; setTimeout(() => { delete from.dataset.copied; }, 2000); } });
  });

  // Several messages that are copied read as a log: who, when, what.
  const part = (range, el) => {
    const r = new Range();
    r.selectNodeContents(el);
    if (range.compareBoundaryPoints(Range.START_TO_START, r) > 0) r.setStart(range.startContainer, range.startOffset);
    if (range.compareBoundaryPoints(Range.END_TO_END, r) < 0) r.setEnd(range.endContainer, range.endOffset);
    const own = r.cloneContents();
    for (const not of own.querySelectorAll(".edited, .state")) not.remove();
    for (const one of own.querySelectorAll("li, tr")) one.prepend(one.matches("li") ? "\n- " : "\n");
    for (const one of own.querySelectorAll("td + td, th + th")) one.prepend("\t");
    return own.textContent.replace(/^\n/, "");
  };
  doc.addEventListener("copy", e => {
    const chosen = getSelection(), range = chosen.rangeCount ? chosen.getRangeAt(0) : null;
    const within = range?.commonAncestorContainer, list = (within?.closest ? within : within?.parentElement)?.closest(".timeline") ?? doc.querySelector(".timeline");
    if (!list || !range || range.collapsed || e.target.closest?.("input, textarea")) return;
    const lines = [...list.children].filter(li => range.intersectsNode(li)), out = [];
    let said = 0, head = "";
    for (const li of lines) {
      if (li.matches(".day")) { out.push("", li.textContent.trim(), ""); head = ""; }
      const body = li.matches(".row") && li.querySelector(".text");
      const text = body && [...body.children].filter(block => range.intersectsNode(block)).map(block => part(range, block).trimEnd()).join("\n");
      if (!text || !text.trim()) continue;
      if (!head || li.matches(".first")) out.push("", head = `${li.querySelector("[id^=n-]")?.textContent}, ${li.querySelector("time")?.textContent}`);
      out.push(text); said += 1;
    }
    if (said < 2) return;
    e.clipboardData.setData("text/plain", out.join("\n").replace(/\n{3,}/g, "\n\n").trim() + "\n");
    e.preventDefault();
  });

  const keep = (name, value, age = YEAR) => { doc.cookie = `${name}=${value}; path=/; max-age=${age}; samesite=lax${location.protocol === "https:" ? "; secure" : ""}`; };
  keep("zone", -new Date().getTimezoneOffset());
  const theme = doc.cookie.match(/(?:^|; )theme=(light|dark)(?:;|$)/);
  if (theme) keep("theme", theme[1]);

  // Title and favicon: how often one is named; or a dot, if something is unread at all.
  let title = "", waiting = [0, 0];
  const label = () => {
    const [mentions, rooms] = waiting, mark = mentions ? `(${mentions}) ` : rooms ? "\u2022 " : "";
    if (title) doc.title = mark + title;
    const link = doc.querySelector('link[rel~="icon"][type="image/svg+xml"]'), href = `/favicon${mentions ? "-mention" : rooms ? "-unread" : ""}.svg`;
    if (link && link.getAttribute("href") !== href) link.setAttribute("href", href);
  };

  // What goes by the plain form, because the client is broken, is no draft any more; what does not is one.
  let posted = false;
  const draft = (form, text) => {
    const key = `beck:draft:${beck.account}:${form.dataset.draft}`;
    try { if (text) localStorage.setItem(key, text); else localStorage.removeItem(key); } catch { /* this browser keeps nothing */ }
  };
  const byForm = form => { if (form.matches(".composer")) { posted = true; beck.attach(null); draft(form, ""); } };
  addEventListener("submit", e => { if (!e.defaultPrevented) byForm(e.target); });

  Object.assign(beck, {
    address(path) { doc.cookie = `done=; path=${path}; max-age=0`; history.replaceState(history.state, "", path); },
    title(text) { title = text; label(); },
    total(mentions, rooms) { waiting = [mentions, rooms]; label(); },
    async copy(text) {
      try { await navigator.clipboard.writeText(text); return true; } catch { /* not a secure page, or not allowed */ }
      const el = doc.createElement("textarea"), back = doc.activeElement;
      el.value = text; el.className = "hidden"; el.readOnly = true;
      doc.body.append(el); el.select();
      const ok = doc.execCommand("copy");
      el.remove(); back?.focus({ preventScroll: true }); return ok;
    },
    set_theme(name) { keep("theme", name, name === "system" ? 0 : YEAR); for (const el of doc.querySelectorAll("[data-theme]")) el.dataset.theme = name; },
    panic() {
      if (doc.querySelector(".panic-bar")) return;
      const bar = doc.createElement("div"), text = doc.createElement("p"), again = doc.createElement("button");
      beck.attach(null);
      // The client's own listener is further in; without it the form posts by itself.
      addEventListener("submit", e => { e.stopImmediatePropagation(); byForm(e.target); }, true);
      addEventListener("pagehide", () => { if (!posted) for (const form of doc.querySelectorAll(".composer")) draft(form, form.querySelector("textarea").value); });
      bar.className = "panic-bar"; bar.role = "alert";
      text.textContent = "Something stopped working. What you wrote is kept.";
      again.className = "button small"; again.textContent = "Reload"; again.onclick = () => location.reload();
      bar.append(text, again); doc.body.append(bar);
    },
  });
})();
