// Price and expected error as one types, the answer on invented rows at once, and waiting without a reload.
// Every page works without this file.
"use strict";

(() => {
  const byId = (id) => document.getElementById(id);
  const fields = (form) => new URLSearchParams(new FormData(form));

  const say = (text) => {
    const place = byId("said");
    if (place) place.textContent = text || "";
  };

  // What a page or a part of one holds: the first that is there of what is wanted; an error where none is, as when a
  // login has ended.
  const load = async (address, wanted, sent, signal) => {
    const reply = await fetch(address, { method: sent ? "POST" : "GET", body: sent, signal, credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await reply.text(), "text/html");
    for (const kind of wanted) {
      const found = [...page.querySelectorAll(kind)].map((one) => document.importNode(one, true));
      if (found.length) return found;
    }
    throw new Error("nothing of the kind");
  };

  const trouble = (text) => {
    const box = document.createElement("p");
    box.className = "alarm";
    box.setAttribute("role", "alert");
    box.textContent = text;
    return box;
  };

  // waiting for a job ------------------------------------------------------------------------------------------------

  const wait = (job) => {
    let shown = job;
    let pause = 400;
    const look = async () => {
      try {
        const [found] = await load(shown.dataset.poll, [".job"]);
        if (!found.dataset.poll || found.dataset.said !== shown.dataset.said) {
          shown.replaceWith(found); // (not while nothing changed: it would take the focus away)
          shown = found;
          say(found.dataset.said);
        }
        if (!found.dataset.poll) return;
      } catch {
        pause = 5000; // the service is away for a moment, or the login has ended
        say("Still waiting; load the page again if this goes on.");
      }
      pause = Math.min(pause * 1.4, 10000);
      setTimeout(look, pause);
    };
    setTimeout(look, pause);
  };

  document.querySelectorAll("[data-poll]").forEach(wait);

  // writing a question -----------------------------------------------------------------------------------------------

  const work = document.querySelector("[data-price]");
  if (!work) return;
  document.documentElement.classList.add("scripted");
  const parts = byId("parts");
  const sql = byId("sql");
  const asking = [...sql.querySelectorAll("button")].filter((one) => one.value !== "price");
  let timer;
  let running;

  // nothing is asked before the price of this very question is there
  const hold = (held, over) => {
    for (const one of asking) one.disabled = held || (over && one.value === "release");
  };

  const price = (from, pause) => {
    clearTimeout(timer);
    hold(true);
    timer = setTimeout(async () => {
      if (running) running.abort();
      const mine = (running = new AbortController());
      const sent = fields(sql);
      if (from === "parts") for (const [name, value] of fields(parts)) if (!sent.has(name)) sent.append(name, value);
      sent.set("from", from);
      try {
        const [found] = await load(work.dataset.price, [".price"], sent, mine.signal);
        byId("price").replaceChildren(found);
        if (from === "parts") {
          sql.elements.sql.value = found.dataset.sql;
          sql.elements.parts.value = found.dataset.packed;
        }
        const cost = found.querySelector(".cost");
        if (cost) say(cost.textContent);
        hold(!cost, cost && cost.classList.contains("bad"));
      } catch {
        if (mine.signal.aborted) return;
        byId("price").replaceChildren(trouble("The price did not come. Change something, or load the page again."));
        hold(false);
      }
    }, pause);
  };

  parts.addEventListener("input", () => price("parts", 500));
  sql.addEventListener("input", () => price("sql", 500));
  parts.addEventListener("submit", (event) => {
    event.preventDefault();
    price("parts", 0);
  });
  sql.addEventListener("submit", async (event) => {
    const way = event.submitter ? event.submitter.value : "price";
    if (way === "release") return;
    event.preventDefault();
    if (way === "price") return price("sql", 0);
    const box = byId("dummy");
    const sent = fields(sql);
    sent.set("do", "dummy");
    say("Invented rows are being asked.");
    event.submitter.disabled = true;
    try {
      box.replaceChildren(...(await load(sql.getAttribute("action"), [".job", ".alarm"], sent)));
      box.querySelectorAll("[data-poll]").forEach(wait);
    } catch {
      box.replaceChildren(trouble("The answer on invented rows did not come; press the button again."));
    }
    event.submitter.disabled = false;
    box.focus();
    say("Invented rows were asked.");
  });
})();
