// The desktop's page has an address of its own: links and forms of the server's paths go by way of the app.
(() => {
  "use strict";
  const doc = document, beck = window.beck;

  const fault = text => fetch("/fault", { method: "POST", body: text }).catch(() => {});
  addEventListener("error", e => fault(`${e.message} (${e.filename}:${e.lineno})`));
  addEventListener("unhandledrejection", e => fault(String(e.reason)));
  doc.addEventListener("securitypolicyviolation", e => fault(`refused ${e.violatedDirective}: ${e.blockedURI} (${e.sourceFile}:${e.lineNumber})`));
  // Dioxus writes its loader into the page. From then on nothing that is written into it runs.
  doc.addEventListener("DOMContentLoaded", () => {
    const policy = doc.createElement("meta");
    policy.httpEquiv = "Content-Security-Policy"; policy.content = "script-src 'self' 'unsafe-eval'";
    doc.head.append(policy);
  });

  doc.addEventListener("click", e => {
    const link = e.target instanceof Element && e.target.closest('a[href^="/"]');
    if (!link || e.defaultPrevented || e.button) return;
    e.preventDefault(); beck.emit("go", link.getAttribute("href"));
  });

  // What a form led to, where the page of a browser would say it.
  const tell = (form, text, done) => {
    form.querySelector(":scope > .said-here")?.remove();
    if (!text) return;
    const line = doc.createElement("p");
    line.className = `${done ? "done" : "error"} boxed said-here`; line.role = done ? "status" : "alert"; line.textContent = text;
    form.append(line);
  };
  doc.addEventListener("submit", async e => {
    const form = e.target;
    if (e.defaultPrevented || !form.matches("form[method=post]") || !form.getAttribute("action")?.startsWith("/")) return;
    e.preventDefault();
    tell(form, "");
    try {
      const body = new URLSearchParams(new FormData(form, e.submitter)).toString();
      const headers = { accept: "application/json", "content-type": "application/x-www-form-urlencoded" };
      const answer = await (await fetch(form.getAttribute("action"), { method: "POST", body, headers })).json();
      if (answer.message) { tell(form, answer.message); return; }
      form.reset();
      for (const pop of doc.querySelectorAll("details.pop[open]")) pop.open = false;
      if (form.matches(".form")) tell(form, "Done.", true);
      if (answer.location) beck.emit("go", answer.location);
    } catch { tell(form, "The server does not answer. Try again in a moment."); }
  });

  addEventListener("keydown", e => {
    if (e.key.toLowerCase() !== "q" || !(e.ctrlKey || e.metaKey) || e.altKey || e.shiftKey) return;
    e.preventDefault(); fetch("/quit");
  });

  Object.assign(beck, {
    copy_link(path) { beck.copy(beck.server + path); },
  });
})();
