// Writing, in every composer and edit box: completion, keys that format, rich text as markdown, commands. What it writes
// it writes as if typed, so that undo takes it back. Before dom.js, whose Enter sends: an open list takes it first.
(() => {
  "use strict";
  const doc = document, mac = /Mac|iP/.test(navigator.platform);
  const isBox = el => el instanceof Element && el.matches(".composer textarea, .edit-box textarea");
  const insert = (el, from, to, text) => {
    el.focus({ preventScroll: true }); el.setSelectionRange(from, to);
    if (from === to && !text) return;
    if (doc.execCommand(text ? "insertText" : "delete", false, text)) return;
    el.setRangeText(text, from, to, "end");
    el.dispatchEvent(new InputEvent("input", { bubbles: true }));
  };
  const make = (tag, name, text = "") => { const el = doc.createElement(tag); if (name) el.className = name; el.textContent = text; return el; };
  /** Within fenced code, or within code on the last line. */
  const inCode = before => (before.match(/^ *```/gm)?.length ?? 0) % 2 || (before.slice(before.lastIndexOf("\n") + 1).match(/`/g)?.length ?? 0) % 2;

  // ---- What there is to complete ------------------------------------------------------------------------------------
  const COMMANDS = [
    ["/topic", "Change the topic of the room"], ["/invite", "Bring somebody into the room"], ["/me", "Say what you do"],
    ["/shrug", "\u00af\\_(\u30c4)_/\u00af"], ["/mute", "Hear nothing of the room, or hear of it again"], ["/help", "What one can type here"],
  ];
  const people = new Map(), rooms = new Map(), asked = new Map();
  let emoji = null, loading = null;
  const load = () => loading ??= fetch("/emoji.txt").then(answer => answer.ok ? answer.text() : Promise.reject(answer.status)).then(text => {
    emoji = text.trim().split("\n").map(line => { const [sign, name, ...words] = line.split(" "); return { sign, name, words }; });
  }).catch(() => { loading = null; });
  const ask = (room, sign, word) => {
    const key = `${room}${sign}${word.toLowerCase()}`;
    if (!asked.has(key)) asked.set(key, fetch(`/api/v1/names?${new URLSearchParams({ room, at: word })}`).then(answer => answer.ok ? answer.json() : Promise.reject(answer.status)).then(found => {
      for (const one of found.people) people.set(one.handle, { ...one, room });
      for (const one of found.rooms) rooms.set(one.slug, one);
      setTimeout(() => asked.delete(key), 60000); // people come and go
    }).catch(() => { asked.delete(key); }));
    return asked.get(key);
  };
  const begins = (texts, word) => texts.some(text => text.toLowerCase().split(/[\s_.-]+/).some(part => part.startsWith(word)) || text.toLowerCase().startsWith(word));
  const FOUND = {
    "@": word => [...people.values()].filter(one => begins([one.handle, one.name], word)).sort((a, b) => b.here - a.here || b.handle.startsWith(word) - a.handle.startsWith(word) || a.name.localeCompare(b.name))
      .map(one => ({ key: one.handle, text: `@${one.handle} `, id: one.id, label: one.name, note: one.handle === "room" ? one.note : `@${one.handle}${one.here ? "" : ", not in this room"}` })),
    "#": word => [...rooms.values()].filter(one => begins([one.slug, one.name], word)).sort((a, b) => b.slug.startsWith(word) - a.slug.startsWith(word) || a.name.localeCompare(b.name))
      .map(one => ({ key: one.slug, text: `#${one.slug} `, label: `#${one.slug}`, note: one.topic })),
    ":": word => {
      const named = [], others = [];
      for (const one of emoji ?? []) if (one.name.startsWith(word)) named.push(one); else if (begins([one.name, ...one.words], word)) others.push(one);
      return [...named, ...others].map(one => ({ text: `${one.sign} `, label: `${one.sign} ${one.name}`, note: "" }));
    },
    "/": (word, el) => COMMANDS.filter(([name]) => name.startsWith(`/${word}`)).map(([name, note]) => ({ key: name.slice(1), text: `${name} `, label: name,
      note: name === "/topic" && el.form.dataset.topics ? `${note}. ${el.form.dataset.topics}` : note })),
  };

  // ---- The list -----------------------------------------------------------------------------------------------------
  let list = null, open = null, left = null;
  const close = () => {
    if (!open) return;
    open.el.removeAttribute("aria-activedescendant"); open.el.removeAttribute("aria-controls");
    list.remove(); open = list = null;
  };
  const place = () => {
    const box = (open.el.closest(".box") ?? open.el).getBoundingClientRect(), above = box.top > 240;
    list.style.left = `${box.left}px`; list.style.width = `${Math.min(box.width, 380)}px`;
    list.style.top = above ? "auto" : `${box.bottom + 6}px`; list.style.bottom = above ? `${innerHeight - box.top + 6}px` : "auto";
    list.style.maxHeight = `${Math.min(320, above ? box.top - 16 : innerHeight - box.bottom - 16)}px`;
  };
  const select = at => {
    open.at = (at + open.items.length) % open.items.length;
    [...list.children].forEach((one, n) => one.setAttribute("aria-selected", String(n === open.at)));
    list.children[open.at].scrollIntoView({ block: "nearest" });
    open.el.setAttribute("aria-activedescendant", `complete-${open.at}`);
  };
  const draw = (el, token, items) => {
    if (!items.length) { close(); return; }
    const same = open?.el === el && open.from === token.from && open.word === token.word && open.items.length === items.length ? open.at : 0;
    if (open?.el !== el) close();
    open = { el, ...token, items, at: 0 };
    if (!list) { list = make("div", "completions"); list.id = "complete"; list.setAttribute("role", "listbox"); list.setAttribute("aria-label", "Suggestions"); (el.closest("main") ?? doc.body).append(list); }
    list.replaceChildren(...items.map((item, n) => {
      const option = make("div", "option"), note = make("span", "note", item.note);
      option.id = `complete-${n}`; option.setAttribute("role", "option");
      option.append(make("b", "label", item.label), note);
      option.addEventListener("pointerdown", e => e.preventDefault()); // the box keeps the focus
      option.addEventListener("click", () => { open.at = n; pick(); });
      return option;
    }));
    el.setAttribute("aria-controls", "complete"); el.setAttribute("aria-autocomplete", "list");
    place(); select(same);
  };
  // Whose handle was picked goes along with what is sent from the form: the handle may be another's by then.
  const note = (form, { key, id }) => {
    const field = id && form?.querySelector("input[name=named]");
    if (field) field.value = [`${key}:${id}`, ...field.value.split(" ").filter(one => one && !one.startsWith(`${key}:`))].slice(0, 50).join(" ");
  };
  const pick = () => { const { el, from, to, items, at } = open; close(); note(el.form, items[at]); insert(el, from, to, items[at].text); };
  /** What stands before the caret and may be completed: a sign and a letter at least, two for emoji; a command from its sign on. */
  const tokenOf = el => {
    if (el.selectionStart !== el.selectionEnd) return null;
    const to = el.selectionStart, before = el.value.slice(0, to);
    const found = before.match(/^(\/)([a-z]*)$/) ?? before.slice(-48).match(/(?:^|[\s([{*_~"'\u2014\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af])([@#:])([\p{L}\p{N}][\p{L}\p{N}_+.-]*)$/u);
    if (!found || (found[1] === ":" && found[2].length < 2) || inCode(before)) return null;
    return { sign: found[1], word: found[2].toLowerCase(), from: to - found[2].length - 1, to };
  };
  const roomOf = el => (el.closest(".composer") ?? doc.querySelector(".composer"))?.dataset.room ?? "";
  const update = async el => {
    const token = tokenOf(el);
    if (left && (!token || left.el !== el || left.from !== token.from)) left = null;
    if (!token || left) { close(); return; }
    const found = () => FOUND[token.sign](token.word, el).slice(0, 8);
    draw(el, token, found());
    const wait = token.sign === ":" ? !emoji && load() : token.sign === "/" ? null : ask(roomOf(el), token.sign, token.word);
    if (!wait) return;
    await wait;
    const now = doc.activeElement === el && tokenOf(el);
    if (now && !left && now.from === token.from && now.word === token.word) draw(el, token, found());
  };
  /** `:tada:` becomes what it names as its second colon is typed. */
  const named = async el => {
    const word = () => el.selectionStart === el.selectionEnd && el.value.slice(Math.max(0, el.selectionStart - 48), el.selectionStart).match(/(?:^|[^\w:]):([a-z0-9_+-]{2,}):$/)?.[1];
    const name = word();
    if (!name || inCode(el.value.slice(0, el.selectionStart))) return;
    await load();
    const one = emoji?.find(one => one.name === name || one.words.includes(name) && /\W|\d/.test(name));
    if (one && word() === name) insert(el, el.selectionStart - name.length - 2, el.selectionStart, one.sign);
  };
  let composing = false;
  doc.addEventListener("compositionstart", () => { composing = true; close(); }, true);
  doc.addEventListener("compositionend", e => { composing = false; if (isBox(e.target)) update(e.target); }, true);
  doc.addEventListener("input", e => {
    if (!isBox(e.target) || composing || e.isComposing) return;
    const form = e.target.form;
    if (form?.matches(".composer")) {
      if (/(?:^|[\s(*_~])@room(?![\w.@-]*\w)/i.test(e.target.value)) form.dataset.audience = "1"; else delete form.dataset.audience;
      if (e.target.value) say(form, "");
    }
    if (e.data === ":") { load(); named(e.target); }
    update(e.target);
  }, true);
  doc.addEventListener("selectionchange", () => { if (open && !composing) { const token = tokenOf(open.el); if (!token || token.from !== open.from || token.to !== open.to) close(); } });
  doc.addEventListener("focusout", e => { if (open && e.target === open.el) close(); }, true);
  addEventListener("resize", () => { if (open) place(); });

  // ---- Keys ---------------------------------------------------------------------------------------------------------
  const wrap = (el, mark) => {
    let { selectionStart: from, selectionEnd: to, value } = el;
    while (from < to && /\s/.test(value[from])) from += 1;
    while (to > from && /\s/.test(value[to - 1])) to -= 1;
    const inner = value.slice(from, to), n = mark.length;
    if (mark === "`" && inner.includes("\n")) {
      const fence = `${from && value[from - 1] !== "\n" ? "\n" : ""}\`\`\`\n`;
      insert(el, from, to, `${fence}${inner}\n\`\`\``);
      el.setSelectionRange(from + fence.length, to + fence.length);
    } else if (value.slice(from - n, from) === mark && value.slice(to, to + n) === mark && value[from - n - 1] !== mark[0]) {
      insert(el, from - n, to + n, inner); el.setSelectionRange(from - n, to - n);
    } else if (inner.length > 2 * n && inner.startsWith(mark) && inner.endsWith(mark)) {
      insert(el, from, to, inner.slice(n, -n)); el.setSelectionRange(from, to - 2 * n);
    } else {
      insert(el, from, to, mark + inner + mark); el.setSelectionRange(from + n, to + n);
    }
  };
  const link = el => {
    const { selectionStart: from, selectionEnd: to, value } = el, inner = value.slice(from, to);
    if (/^https?:\/\/\S+$/.test(inner)) { insert(el, from, to, `[](${inner})`); el.setSelectionRange(from + 1, from + 1); return; }
    insert(el, from, to, `[${inner}](https://)`);
    el.setSelectionRange(to + 3, to + 11);
  };
  addEventListener("keydown", e => {
    if (e.isComposing || e.keyCode === 229 || !isBox(e.target)) return;
    const el = e.target, done = () => { e.preventDefault(); e.stopImmediatePropagation(); };
    const ours = (mac ? e.metaKey && !e.ctrlKey : e.ctrlKey && !e.metaKey) && !e.altKey;
    if (open?.el === el && !(e.ctrlKey || e.metaKey || e.altKey)) {
      // What is typed in full is no choice any more: Enter is Enter.
      const whole = open.items[open.at].key === open.word;
      if (e.key === "ArrowDown") { done(); select(open.at + 1); }
      else if (e.key === "ArrowUp") { done(); select(open.at - 1); }
      else if (e.key === "Escape") { done(); left = open; close(); }
      else if ((e.key === "Enter" || e.key === "Tab") && !e.shiftKey && !(whole && e.key === "Enter")) { done(); pick(); }
      else if (e.key === "Enter") close();
      return;
    }
    if (!ours) return;
    const key = e.key.toLowerCase(), mark = e.shiftKey ? { x: "~~" }[key] : { b: "**", i: "_", e: "`" }[key];
    if (mark) { done(); wrap(el, mark); }
    // Without something selected Ctrl K jumps to a room.
    else if (key === "k" && !e.shiftKey && el.selectionStart < el.selectionEnd) { done(); link(el); }
  }, true);

  // ---- Rich text that is pasted -------------------------------------------------------------------------------------
  // Of a tag only what is asked for below: the page's policy would report any style and handler, though nothing runs here.
  const TAG = /<([a-z][\w-]*)((?:"[^"]*"|'[^']*'|[^'">])*)>/gi;
  const bare = (all, name, rest) => `<${name} ${(rest.match(/(?<=\s)(?:href|start|type|checked|style)(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'>]+))?(?=[\s/]|$)/gi) ?? []).join(" ").replace(/\bstyle\s*=/gi, "data-style=")}>`;
  const RICH = "a[href], b, strong, i, em, s, del, strike, code, pre, li, blockquote, h1, h2, h3, h4, h5, h6, table";
  const plainly = text => text.replace(/\s+/g, " ").replace(/([\\`*]|(?<!\w)_|_(?!\w)|~~|\[(?=[^\]]*\]\())/g, "\\$1");
  const around = (text, mark) => text.replace(/^(\s*)([\s\S]*?)(\s*)$/, (all, a, b, c) => b ? a + mark + b + mark + c : all);
  const inner = (node, at) => at > 60 ? node.textContent : [...node.childNodes].map(one => markdown(one, at + 1)).join("");
  const items = (list, at) => {
    let n = Number(list.getAttribute("start")) || 1;
    const lines = [...list.children].map(one => one.matches("ul, ol") ? items(one, at + 1).replace(/^/gm, "  ") :
      (list.matches("ol") ? `${n++}. ` : "- ") + inner(one, at).trim().replace(/\n+/g, "\n  "));
    return lines.join("\n");
  };
  const rows = table => {
    const lines = [...table.querySelectorAll("tr")].map(tr => `| ${[...tr.cells].map(cell => inner(cell, 1).trim().replace(/\s*\n\s*/g, " ").replace(/\|/g, "\\|")).join(" | ")} |`);
    const cells = table.rows[0]?.cells.length ?? 0;
    return cells ? [lines[0], `|${" --- |".repeat(cells)}`, ...lines.slice(1)].join("\n") : "";
  };
  const parts = one => !one || /^(address|article|blockquote|br|div|dl|footer|h[1-6]|header|hr|li|ol|p|pre|section|table|t[rdh]|tbody|thead|ul)$/.test(one.localName);
  const markdown = (node, at) => {
    if (node.nodeType === Node.TEXT_NODE) return !node.data.trim() && (parts(node.previousSibling) || parts(node.nextSibling)) ? "" : plainly(node.data);
    if (node.nodeType !== Node.ELEMENT_NODE) return "";
    const name = node.localName, style = node.dataset.style ?? "", all = () => inner(node, at);
    const block = text => text.trim() ? `\n\n${text.trim()}\n\n` : "";
    switch (name) {
      case "script": case "style": case "head": case "title": case "button": case "template": return "";
      case "br": return "\n";
      case "hr": return block("---");
      case "input": return node.type === "checkbox" ? `[${node.checked ? "x" : " "}] ` : "";
      case "b": case "strong": return /font-weight:\s*(normal|[1-4]00)/.test(style) ? all() : around(all(), "**");
      case "i": case "em": return /font-style:\s*normal/.test(style) ? all() : around(all(), "_");
      case "s": case "del": case "strike": return around(all(), "~~");
      case "pre": return block("```\n" + node.textContent.replace(/\n$/, "") + "\n```");
      case "code": case "tt": case "kbd": return node.textContent.includes("`") ? `\`\` ${node.textContent} \`\`` : node.textContent.trim() ? `\`${node.textContent}\`` : "";
      case "a": {
        const to = node.getAttribute("href") ?? "", text = all();
        if (!/^(https?:|mailto:)/i.test(to) || /[\s<>"`]/.test(to) || !text.trim()) return text;
        return node.textContent.trim() === to || /\n/.test(text.trim()) ? to : around(text, "\u0000").replace("\u0000", "[").replace("\u0000", `](${to})`);
      }
      case "ul": case "ol": return block(items(node, at));
      case "blockquote": return block(all().trim().replace(/\n{3,}/g, "\n\n").replace(/^/gm, "> "));
      case "table": return block(rows(node));
      case "p": case "div": case "section": case "article": case "li": case "tr": case "header": case "footer": return name === "p" ? block(all()) : `\n${all()}\n`;
      default: return /^h[1-6]$/.test(name) ? block(`${"#".repeat(Number(name[1]))} ${all().trim().replace(/\s*\n\s*/g, " ")}`) : all();
    }
  };
  doc.addEventListener("paste", e => {
    const el = e.target, data = e.clipboardData;
    if (!isBox(el) || !data) return;
    const plain = data.getData("text/plain").trim(), { selectionStart: from, selectionEnd: to, value } = el;
    // An address on what is selected makes a link of it.
    if (from < to && /^https?:\/\/\S+$/.test(plain) && !/^https?:|\n/.test(value.slice(from, to))) {
      e.preventDefault(); insert(el, from, to, `[${value.slice(from, to)}](${plain})`); return;
    }
    const html = data.getData("text/html");
    if (!html || html.length > 500000 || inCode(value.slice(0, from))) return;
    const page = new DOMParser().parseFromString(html.replace(TAG, bare), "text/html");
    if (!page.body.querySelector(RICH)) return;
    const text = inner(page.body, 0).replace(/[ \t]+\n/g, "\n").replace(/\n{3,}/g, "\n\n").trim();
    if (!text) return;
    e.preventDefault(); insert(el, from, to, text);
  }, true);

  // ---- Commands -----------------------------------------------------------------------------------------------------
  const say = (form, text, bad = false) => { const line = form.querySelector(".said"); if (line && line.textContent !== text) { line.textContent = text; line.classList.toggle("bad", bad); } };
  const post = async (form, what, fields, done = "") => {
    let answer, told;
    try {
      answer = await fetch(`/r/${form.dataset.room}/${what}`, { method: "POST", headers: { accept: "application/json" }, body: new URLSearchParams(fields), redirect: "manual" });
      told = await answer.json().catch(() => ({}));
    } catch { say(form, "There is no connection, so nothing was changed. Try again later.", true); return; }
    const ok = answer.type === "opaqueredirect" || (answer.ok && told.done);
    if (ok) clear(form);
    say(form, told.message ?? (ok ? done : "The server did not do it. Try again."), !ok);
  };
  const clear = form => { const el = form.querySelector("textarea"); insert(el, 0, el.value.length, ""); };
  const RUN = {
    topic: (form, rest) => rest ? post(form, "topic", { topic: rest }) : say(form, "Write the new topic after it: /topic Lunch at noon", true),
    invite: (form, rest) => /^@?[\w.-]+$/.test(rest) ? post(form, "invite", { handle: rest }) : say(form, "Name one person: /invite @handle", true),
    mute: form => form.dataset.muted ? post(form, "want", { muted: "" }, "You hear of this room again.") : post(form, "want", { muted: "1" }, "Muted. /mute once more, and you hear of it again."),
    help: form => { clear(form); help(); },
  };
  const INSTEAD = { me: rest => rest && `_${rest}_`, shrug: rest => `${rest} \u00af\\_(\u30c4)_/\u00af`.trim() };
  addEventListener("submit", e => {
    const form = e.target;
    if (!(form instanceof Element) || !form.matches(".composer")) return;
    const el = form.querySelector("textarea"), text = el.value.trim();
    close();
    if (text.startsWith("//")) { el.value = text.slice(1); return; }
    const found = text.match(/^\/([a-z]+)(?:\s+([\s\S]*))?$/);
    if (!found) return; // /etc/hosts is a text
    const [, name, rest = ""] = found, instead = INSTEAD[name]?.(rest);
    if (instead) { el.value = instead; return; }
    e.preventDefault(); e.stopImmediatePropagation();
    if (RUN[name]) RUN[name](form, rest.trim());
    else say(form, name in INSTEAD ? `Write something after it: /${name} waves` : `There is no /${name}. /help tells what there is; a text that begins so is sent with //${name}.`, true);
  }, true);

  const HELP = [
    ["Text", [["**strong**  _emphasis_  ~~struck~~", `Ctrl B, Ctrl I, Ctrl Shift X`], ["`code`", "Ctrl E; lines between ``` and ``` are code, too"], ["[text](https://…)", "Ctrl K with something selected"],
      ["> quote", "a quote"], ["- item   1. item   - [ ] task", "lists"], ["# heading", "a heading"], ["| a | b |", "a table; under its head |---|---|"], ["@name  #room  :emoji:", "a list opens as you type"], ["\\*", "a sign as it is"]]],
    ["Commands", [...COMMANDS, ["//", "a text that begins with /"]]],
    ["Keys", [["Enter", "sends; Shift Enter breaks the line"], ["\u2191", "in an empty box: edit your last message"], ["Ctrl K", "go to a room"]]],
  ];
  const help = () => {
    const dialog = make("dialog", "help"), back = doc.activeElement, shut = make("button", "button plain small", "Close");
    const title = make("h2", "", "What one can type"), head = make("div", "help-head");
    title.id = "help-title"; dialog.setAttribute("aria-labelledby", "help-title");
    head.append(title, shut);
    dialog.append(head, ...HELP.flatMap(([name, lines]) => {
      const all = make("dl");
      for (const [typed, what] of lines) { const line = make("div"), dt = make("dt"); dt.append(make("code", "", typed)); line.append(dt, make("dd", "", mac ? what.replace(/Ctrl /g, "\u2318") : what)); all.append(line); }
      return [make("h3", "", name), all];
    }));
    shut.type = "button"; shut.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", e => { if (e.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => { dialog.remove(); back?.focus?.(); });
    doc.body.append(dialog); dialog.showModal(); shut.focus();
  };
  // Esc is the dialog's own; what listens for keys on the page does not hear of it.
  addEventListener("keydown", e => { if (doc.querySelector("dialog.help[open]") && e.key === "Escape") e.stopImmediatePropagation(); }, true);
})();
