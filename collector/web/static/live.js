// Keeps an open page new: told by the server that there is something, it fetches the page as the server
// renders it for everybody, and puts in place what differs. Without it the page is as whole, and stands still.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  if (!main || !window.EventSource) return;
  const lamp = document.getElementById("live");
  const AGAIN_MS = 60000; // where the server has no stream to spare, as it asks for
  let isBusy = false, isDue = false;

  function say(isOn) {
    lamp.hidden = false;
    lamp.className = isOn ? "on" : "off";
    lamp.textContent = isOn ? lamp.dataset.on : lamp.dataset.off;
  }

  async function renew() {
    isDue = true;
    if (isBusy || document.hidden) return;
    isBusy = true;
    try {
      while (isDue) {
        isDue = false;
        const answer = await fetch(location.href);
        if (!answer.ok) continue;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        put(page.querySelector("main"));
        document.title = page.title;
      }
    } catch { // the stream tells when the server is back
      isDue = true;
    } finally {
      isBusy = false;
    }
  }

  function put(fresh) {
    if (!fresh) return;
    for (const open of main.querySelectorAll("details")) {
      const same = fresh.querySelector(`#${CSS.escape(open.id)}`);
      if (same) same.open = open.open;
    }
    const was = document.activeElement;
    const names = (root) => [...root.children].map((child) => child.id).join(" ");
    if (names(fresh) !== names(main)) {
      main.replaceChildren(...fresh.childNodes);
    } else {
      const others = [...fresh.children]; // what is put in place is no longer among them
      [...main.children].forEach((child, at) => exchange(child, others[at]));
    }
    if (was && !was.isConnected) found(was)?.focus({ preventScroll: true });
  }

  // What a screen reader is to read aloud stays the same element, or it would not be read.
  function exchange(old, fresh) {
    if (old.outerHTML === fresh.outerHTML) return;
    if (old.getAttribute("role") !== "status") return old.replaceWith(fresh);
    old.className = fresh.className;
    if (old.textContent !== fresh.textContent) old.textContent = fresh.textContent;
  }

  function found(was) {
    const same = [...main.querySelectorAll(was.localName)];
    return same.find((one) => one.getAttribute("href") === was.getAttribute("href") && one.textContent === was.textContent);
  }

  let stream = null, again = 0;

  function listen() {
    again = 0;
    stream = new EventSource("/live");
    stream.addEventListener("news", () => { say(true); renew(); });
    stream.addEventListener("error", () => {
      say(false);
      // A browser that was refused once asks no more by itself. Not all at once, or all are refused again.
      if (stream?.readyState === EventSource.CLOSED) again ||= setTimeout(retry, AGAIN_MS * (0.5 + Math.random()));
    });
  }

  function retry() {
    renew(); // the news comes this way for as long as there is no stream
    listen();
  }

  // A browser has six connections to a server for all its tabs: who is not looked at gives its own back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(again);
      stream?.close();
      stream = null;
    } else if (!stream) {
      listen();
    }
  });
  listen();
})();
