// What the engine needs of a browser and Rust cannot reach well: one sending tab, other tabs' changes, pictures, requests.
(() => {
  "use strict";
  const doc = document;

  // The tab that is looked at sends for all tabs of the account. Without Web Locks every tab sends: a draft has one id.
  const lead = (name, tell) => {
    if (!navigator.locks) return tell("sender", "", "1");
    let leads = false, queued = false;
    const hold = steal => {
      if (leads || (queued && !steal)) return;
      if (!steal) queued = true;
      navigator.locks.request(name, steal ? { steal: true } : {}, () => {
        leads = true; tell("sender", "", "1");
        if (!steal) queued = false;
        return new Promise(() => {});
      }).catch(() => { leads = false; tell("sender", "", ""); hold(false); });
    };
    tell("sender", "", "");
    hold(doc.visibilityState === "visible");
    doc.addEventListener("visibilitychange", () => { if (doc.visibilityState === "visible") hold(true); });
    addEventListener("focus", () => hold(true));
  };

  // Notifications of this tab, by tag: one per message over all tabs, since only the sending tab notifies.
  const can = "Notification" in window, notices = new Map(), asked = "beck:never-ask";
  let permit = () => {}, open = () => {};

  // The sound of a notification: a drop. Off by what is kept here; there is none before the first click or key.
  const mute = "beck:no-sound", silent = () => { try { return localStorage.getItem(mute) !== null; } catch { return false; } };
  const label = () => { doc.documentElement.toggleAttribute("data-no-sound", silent()); };
  let audio = null, playing = false;
  const tune = () => {
    if (!audio && can && Notification.permission === "granted" && !silent() && window.AudioContext) { audio = new AudioContext(); audio.suspend(); }
  };
  const play = () => { // those that come together are one
    if (!audio || playing || silent()) return;
    playing = true;
    const tone = audio.createOscillator(), loud = audio.createGain(), now = audio.currentTime;
    audio.resume();
    tone.frequency.setValueAtTime(520, now); tone.frequency.exponentialRampToValueAtTime(1040, now + .09);
    loud.gain.setValueAtTime(.0001, now); loud.gain.exponentialRampToValueAtTime(.16, now + .015); loud.gain.exponentialRampToValueAtTime(.0001, now + .34);
    tone.connect(loud).connect(audio.destination);
    tone.onended = () => { playing = false; audio.suspend(); };
    tone.start(now); tone.stop(now + .36);
  };
  for (const what of ["pointerdown", "keydown"]) addEventListener(what, tune, true);
  addEventListener("storage", label);
  doc.addEventListener("click", e => {
    const was = e.target.closest?.("button.sound-on, button.sound-off");
    if (!was) return;
    try { if (was.matches(".sound-on")) localStorage.setItem(mute, "1"); else localStorage.removeItem(mute); } catch { /* as it was: this browser keeps nothing */ }
    label();
    was.parentNode.querySelector(`button:not(${was.matches(".sound-on") ? ".sound-on" : ".sound-off"})`).focus();
    tune(); play();
  });
  label();

  window.beckDevice = {
    start(account, callback) {
      window.beck.account = account;
      const queue = [];
      // Never while Rust is on the stack.
      const tell = (...what) => { if (queue.push(what) === 1) setTimeout(() => { for (const [kind, rest, value] of queue.splice(0)) callback(kind, rest, value); }); };
      const prefix = `beck:outbox:${account}:`;
      addEventListener("storage", e => {
        if (!e.key?.startsWith(prefix)) return;
        const rest = e.key.slice(prefix.length);
        if (e.newValue === null) tell("gone", rest, ""); else tell("kept", rest, e.newValue);
      });
      lead(`beck:sender:${account}`, tell);
      permit = () => {
        let never = null;
        try { never = localStorage.getItem(asked); } catch { /* this browser keeps nothing */ }
        const may = can ? Notification.permission : "";
        tell("permission", "", never && may === "default" ? "later" : may);
      };
      permit();
      navigator.permissions?.query({ name: "notifications" }).then(state => { state.onchange = permit; }, () => {});
      open = (lane, ordinal) => tell("open", lane, String(ordinal));
    },
    ask_to_notify() { if (can) Notification.requestPermission().then(() => { permit(); tune(); }); },
    never_ask() { try { localStorage.setItem(asked, "1"); } catch { /* asked again next time */ } permit(); },
    notify(lane, ordinal, title, body) {
      try {
        // The browser's own sound, where ours is not to be had yet.
        const tag = `${lane}:${ordinal}`, notice = new Notification(title, { body, tag, icon: "/favicon.ico", silent: Boolean(audio) || silent() });
        play();
        notices.set(tag, notice);
        notice.onclick = () => { focus(); notice.close(); open(lane, ordinal); };
        notice.onclose = () => { if (notices.get(tag) === notice) notices.delete(tag); };
      } catch { /* a phone's browser, which wants a service worker for it */ }
    },
    close_notices(lane, to) {
      for (const [tag, notice] of notices) { const [of, ordinal] = tag.split(":"); if (of === lane && Number(ordinal) <= to) { notices.delete(tag); notice.close(); } }
    },
    // A hidden page draws nothing and still has a title and notifications to keep.
    picture() { return new Promise(done => { requestAnimationFrame(done); setTimeout(done, 100); }); },
    async probe() {
      try { return (await fetch("/api/v1/login", { cache: "no-store", redirect: "manual" })).status; } catch { return 0; }
    },
  };

  // What one says of oneself, without a new page.
  doc.addEventListener("submit", e => {
    const form = e.target;
    if (!form.matches(".own-status") || !doc.documentElement.dataset.live) return;
    e.preventDefault();
    const fields = new FormData(form);
    window.beck.emit("status", [fields.get("for"), fields.get("do_not_disturb") ?? "", fields.get("text")].join("\n"));
    form.closest("details").open = false;
  });

  // Signing in again, in place: whatever is on the page stays.
  doc.addEventListener("submit", async e => {
    const form = e.target;
    if (!form.matches(".sign-in-again")) return;
    e.preventDefault();
    const error = form.querySelector(".error"), button = form.querySelector("button");
    button.disabled = true; error.textContent = "";
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { accept: "application/json" }, redirect: "manual" });
      if (answer.ok) window.beck.signed_in();
      else error.textContent = (await answer.json().catch(() => null))?.message ?? "That did not work. Try again.";
    } catch { error.textContent = "The server does not answer. Try again in a moment."; }
    button.disabled = false;
  });
})();
