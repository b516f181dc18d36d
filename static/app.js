// Small conveniences on top of pages that work without them. Everything is found by data- attributes and
// handled on the document, so that parts which htmx or a stream swaps in need no set-up of their own.
(() => {
  "use strict";
  const doc = document;
  const $$ = (selector, root = doc) => Array.from(root.querySelectorAll(selector));

  // ---- copy: <button data-copy="text"> or <button data-copy-from="#id">, data-copied = what to announce

  async function writeClipboard(text) {
    try {
      return await navigator.clipboard.writeText(text);
    } catch {
      // Plain http on a host other than localhost has no clipboard object, and some browsers refuse it.
    }
    const area = doc.createElement("textarea");
    area.value = text;
    area.className = "sr-only";
    (doc.querySelector("dialog[open]") || doc.body).append(area);
    area.select();
    const done = doc.execCommand("copy");
    area.remove();
    if (!done) throw new Error("copy was refused");
  }

  function announce(text) {
    const live = doc.getElementById("live");
    if (live) live.textContent = text;
  }

  async function copy(button) {
    const from = button.dataset.copyFrom && doc.querySelector(button.dataset.copyFrom);
    try {
      await writeClipboard(from ? from.textContent : button.dataset.copy || "");
    } catch {
      return;
    }
    button.focus();
    button.classList.add("copied");
    announce("");
    announce(button.dataset.copied || "");
    setTimeout(() => button.classList.remove("copied"), 1500);
  }

  // ---- theme: the form of the theme menu, without a reload

  async function switchTheme(form, submitter) {
    const theme = submitter.value;
    const body = new URLSearchParams(new FormData(form, submitter));
    let answer;
    try {
      answer = await fetch(form.action, { method: "POST", body, redirect: "manual", credentials: "same-origin" });
    } catch {
      return;
    }
    // The answer to keep is a redirect back, which fetch shows as opaque.
    if (!answer.ok && answer.type !== "opaqueredirect") return;
    if (theme === "light" || theme === "dark") doc.documentElement.dataset.theme = theme;
    else delete doc.documentElement.dataset.theme;
    for (const b of $$("button[name=theme]", form)) b.setAttribute("aria-pressed", String(b === submitter));
    const shown = form.closest("details")?.querySelector("summary svg");
    const chosen = submitter.querySelector("svg");
    if (shown && chosen) shown.replaceChildren(...chosen.cloneNode(true).childNodes);
    closeMenus();
  }

  // ---- menus: <details data-menu>

  function closeMenus(except) {
    let closed = null;
    for (const menu of $$("details[data-menu][open]")) {
      if (menu === except) continue;
      if (menu.contains(doc.activeElement)) closed = menu;
      menu.open = false;
    }
    if (closed) closed.querySelector("summary").focus();
  }

  // ---- <details data-unfold>: what it opens to is in view, also in a panel that scrolls by itself

  doc.addEventListener(
    "toggle",
    (event) => {
      if (event.target.matches("details[data-unfold][open]")) event.target.scrollIntoView({ block: "nearest" });
    },
    true, // it does not bubble
  );

  // ---- relative times: <time datetime="…" data-ago>, worded as the server words them

  function age(words, seconds) {
    const say = (word, n) => (words[word] || "").replace("#", n);
    if (seconds < 1) return say("now");
    if (seconds < 2) return say("second");
    if (seconds < 60) return say("seconds", Math.floor(seconds));
    const minutes = Math.floor(seconds / 60);
    if (minutes === 1) return say("minute");
    if (minutes < 60) return say("minutes", minutes);
    const hours = Math.floor(seconds / 3600 + 0.5);
    if (hours === 1) return say("hour");
    if (hours < 48) return say("hours", hours);
    if (hours < 24 * 14) return say("days", Math.floor(hours / 24));
    if (hours < 24 * 60) return say("weeks", Math.floor(hours / 24 / 7));
    if (hours < 24 * 730) return say("months", Math.floor(hours / 24 / 30));
    return say("years", Math.floor(seconds / 3600 / 24 / 365));
  }

  function refreshTimes() {
    let words;
    try {
      words = JSON.parse(doc.body.dataset.ages || "");
    } catch {
      return;
    }
    for (const time of $$("time[data-ago]")) {
      const at = Date.parse(time.dateTime);
      if (Number.isNaN(at)) continue;
      const text = age(words, (Date.now() - at) / 1000);
      if (text && time.textContent !== text) time.textContent = text;
    }
  }

  // ---- tabs: where there is no room for all of them, the current one is in view

  function showCurrentTabs() {
    for (const tab of $$(".tabbar [aria-current]")) {
      const bar = tab.parentElement;
      bar.scrollLeft = tab.offsetLeft - bar.offsetLeft - (bar.clientWidth - tab.offsetWidth) / 2;
    }
  }

  // ---- rows: j and k move between [data-row], the arrows too once a row has the focus, but not out of its panel.
  //      Enter opens the focused link by itself.

  // moveRow tells whether there is a row to move to.
  function moveRow(step, within = doc) {
    const rows = $$("[data-row]", within).filter((row) => row.offsetParent !== null);
    const now = rows.findIndex((row) => row.contains(doc.activeElement));
    const next = rows[now < 0 && step < 0 ? rows.length - 1 : now + step];
    const link = next?.querySelector("[data-row-link], a[href]");
    if (!link) return false;
    link.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
    return true;
  }

  function moveInPanel(row, step) {
    const panel = row?.closest(".panel");
    return panel ? moveRow(step, panel) : false;
  }

  // ---- [data-picked] in a list that scrolls by itself is in view when it is a new one

  const pickInView = new WeakMap(); // the lists, with the ID of the pick that was brought into view

  function showPicks() {
    for (const pick of $$("[data-picked]")) {
      const row = pick.closest("[data-row]");
      const list = row.parentElement;
      if (pickInView.get(list) === pick.id) continue;
      pickInView.set(list, pick.id);
      const [outer, inner] = [list.getBoundingClientRect(), row.getBoundingClientRect()];
      if (inner.top >= outer.top && inner.bottom <= outer.bottom) continue;
      list.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
    }
  }

  // ---- sizes as docker prints them: four significant digits, powers of 1000

  function humanSize(bytes) {
    const units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let i = 0;
    while (bytes >= 1000 && i < units.length - 1) {
      bytes /= 1000;
      i++;
    }
    bytes = Number(bytes.toPrecision(4));
    if (bytes >= 1000 && i < units.length - 1) {
      bytes /= 1000;
      i++;
    }
    return `${bytes} ${units[i]}`;
  }

  // ---- tick boxes: <form data-picks> holds input[data-pick], one input[data-pick-all], and texts
  //      [data-pick-count], [data-pick-total]; controls marked [data-pick-needed] wait for a tick, and for no more than
  //      data-pick-most of them.
  //      data-pick="digest:bytes digest:bytes": a blob that two ticks share is counted once. data-picks may be on any
  //      element around boxes and texts. [data-picks-told] gets the event "picks" whenever other boxes are ticked,
  //      and is emptied when none is.

  function tally(form) {
    const picks = $$("input[data-pick]", form);
    const open = picks.filter((p) => !p.disabled);
    const ticked = open.filter((p) => p.checked);
    const blobs = new Map();
    for (const pick of ticked) {
      for (const blob of pick.dataset.pick.split(" ")) {
        const at = blob.lastIndexOf(":");
        const size = Number(blob.slice(at + 1));
        if (at > 0 && size >= 0) blobs.set(blob.slice(0, at), size);
      }
    }
    let total = 0;
    for (const size of blobs.values()) total += size;
    for (const el of $$("[data-pick-count]", form)) el.textContent = String(ticked.length);
    for (const el of $$("[data-pick-total]", form)) el.textContent = humanSize(total);
    for (const el of $$("[data-pick-needed]", form)) {
      el.disabled = ticked.length === 0 || ticked.length > Number(el.dataset.pickMost || Infinity);
    }
    for (const all of $$("input[data-pick-all]", form)) {
      all.checked = open.length > 0 && ticked.length === open.length;
      all.indeterminate = ticked.length > 0 && ticked.length < open.length;
      all.disabled = open.length === 0;
    }
    const values = ticked.map((pick) => pick.value).join("\n");
    for (const el of $$("[data-picks-told]", form)) {
      if ((el.dataset.picksTold || "") === values) continue;
      el.dataset.picksTold = values;
      if (values) el.dispatchEvent(new Event("picks"));
      else {
        el.dispatchEvent(new Event("htmx:abort"));
        el.replaceChildren();
      }
    }
  }

  function tallyAll() {
    for (const form of $$("[data-picks]")) tally(form);
  }

  // tickRow ticks the box of a row, or takes the tick back; tickRows those of all rows of its list.
  function tickRow(row) {
    const pick = row?.querySelector("input[data-pick]:enabled");
    if (!pick) return false;
    pick.checked = !pick.checked;
    tally(pick.closest("[data-picks]"));
    return true;
  }

  function tickRows(row) {
    const all = (row?.closest("[data-picks]") || doc).querySelector("input[data-pick-all]:enabled");
    all?.click();
    return Boolean(all);
  }

  // ---- form[data-follows] says what the server says: after a swap its switches are as they were sent, and so is the box
  //      [data-filter] where the server took words out of it. A switch that somebody touched keeps its own state else.

  let sent = null; // what the box said in the request that is on its way

  doc.addEventListener("htmx:before:request", (event) => {
    const box = event.target.matches?.("form[data-follows]") && event.target.querySelector("[data-filter]");
    if (box) sent = box.value;
  });

  function follow() {
    for (const form of $$("form[data-follows]")) {
      for (const input of $$("input[type=checkbox]", form)) input.checked = input.defaultChecked;
      for (const option of $$("option", form)) if (option.defaultSelected !== option.selected) option.selected = option.defaultSelected;
      const box = form.querySelector("[data-filter]");
      // What was typed meanwhile is asked for next.
      if (box === doc.activeElement && box.value === sent && box.defaultValue !== sent.trim()) {
        box.value = box.defaultValue + (box.defaultValue && /\s$/.test(sent) ? " " : "");
      }
    }
    sent = null;
  }

  // ---- dialogs: <button data-dialog="id"> opens; inside, <form method="dialog"> closes without scripting

  function openDialog(id) {
    const dialog = doc.getElementById(id);
    if (dialog && typeof dialog.showModal === "function" && !dialog.open) dialog.showModal();
  }

  // ---- the box in the header: input[data-box] is a combobox, the element that its aria-controls names is the list
  //      of its options, which are links. htmx fills the list when the box says "ask"; data-heard on a part of it
  //      is announced when it comes. The focus stays in the box.

  const fewestAsked = 2; // characters
  let asking = 0; // the timer of a box that waits for the next letter

  const boxList = (box) => doc.getElementById(box.getAttribute("aria-controls"));

  function askBox(box, wait) {
    clearTimeout(asking);
    choose(box, null);
    if (box.value.trim().length < fewestAsked) closeBox(box);
    else asking = setTimeout(() => box.dispatchEvent(new Event("ask")), wait);
  }

  // What is still on its way must not open the box again.
  function closeBox(box) {
    const list = boxList(box);
    clearTimeout(asking);
    box.dispatchEvent(new Event("htmx:abort"));
    choose(box, null);
    box.setAttribute("aria-expanded", "false");
    list.hidden = true;
    list.replaceChildren();
  }

  function showBox() {
    const box = doc.activeElement;
    if (!box?.matches("[data-box]")) return;
    const list = boxList(box);
    list.hidden = list.childElementCount === 0;
    box.setAttribute("aria-expanded", String(!list.hidden));
    if (chosen(box)?.getAttribute("aria-selected") !== "true") choose(box, null); // another one has taken its ID
    for (const part of $$("[data-heard]", list)) {
      announce(part.dataset.heard);
      part.removeAttribute("data-heard");
    }
  }

  function choose(box, option) {
    for (const o of $$("[role=option]", boxList(box))) o.setAttribute("aria-selected", String(o === option));
    if (!option) return box.removeAttribute("aria-activedescendant");
    box.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  const chosen = (box) => doc.getElementById(box.getAttribute("aria-activedescendant"));

  // Between the last option and the first one the text itself is chosen again.
  function moveInBox(box, step) {
    if (boxList(box).hidden) return askBox(box, 0);
    const stops = [null, ...$$("[role=option]", boxList(box))];
    choose(box, stops[(stops.indexOf(chosen(box)) + step + stops.length) % stops.length]);
  }

  // boxKey tells whether it has dealt with a key.
  function boxKey(box, key) {
    switch (key) {
      case "ArrowDown":
        moveInBox(box, 1);
        return true;
      case "ArrowUp":
        moveInBox(box, -1);
        return true;
      case "Enter":
        chosen(box)?.click();
        return chosen(box) !== null;
      case "Escape":
        if (boxList(box).hidden) box.blur();
        else closeBox(box);
        return true; // or else some browsers empty the box
      default:
        return false;
    }
  }

  function goToBox() {
    const box = doc.querySelector("[data-box]");
    if (!box) return;
    box.focus();
    box.select();
    askBox(box, 0);
  }

  function goToFilter() {
    const filter = doc.querySelector("[data-filter]");
    filter?.focus();
    filter?.select();
    return Boolean(filter);
  }

  doc.addEventListener("input", (event) => {
    if (event.target.matches("[data-box]")) askBox(event.target, 250);
  });
  doc.addEventListener("focusout", (event) => {
    const box = event.target;
    if (box.matches("[data-box]") && !boxList(box).contains(event.relatedTarget)) closeBox(box);
  });
  doc.addEventListener("mousedown", (event) => {
    if (event.target.closest("[role=listbox]")) event.preventDefault();
  });
  window.addEventListener("pagehide", () => $$("[data-box]").forEach(closeBox)); // or it is open on the way back

  // ---- form[data-upload] sends its file itself, so that it can show how far it is; the answer leads on by HX-Redirect, or
  //      is a message for #toasts. Texts come from data- attributes, with {done}, {total} and {rate} filled in.

  let sending = null; // the request of an upload that is under way

  const uploadSaid = (form, text) => (form.querySelector("[data-upload-problem]").textContent = text);

  function showUpload(form, on) {
    form.hidden = on;
    doc.querySelector("[data-upload-progress]").hidden = !on;
    if (!on) sending = null;
  }

  function refuseLarge(form) {
    const file = form.querySelector("input[type=file]").files[0];
    const large = Boolean(file) && file.size > Number(form.dataset.most);
    uploadSaid(form, large ? form.dataset.tooLarge : "");
    return large;
  }

  function upload(form) {
    const box = doc.querySelector("[data-upload-progress]");
    const bar = box.querySelector("progress");
    const text = box.querySelector("[data-upload-text]");
    const request = (sending = new XMLHttpRequest());
    const began = Date.now();
    box.querySelector("[data-upload-file]").textContent = form.querySelector("input[type=file]").files[0].name;
    uploadSaid(form, "");
    showUpload(form, true);
    box.querySelector("[data-upload-cancel]").focus();
    bar.value = 0;
    text.textContent = "";
    const failed = (said) => {
      showUpload(form, false);
      uploadSaid(form, said);
      form.querySelector("button").focus();
    };
    request.upload.addEventListener("progress", (event) => {
      bar.max = event.total;
      bar.value = event.loaded;
      const seconds = Math.max(0.25, (Date.now() - began) / 1000);
      const say = { done: humanSize(event.loaded), total: humanSize(event.total), rate: `${humanSize(event.loaded / seconds)}/s` };
      text.textContent = form.dataset.sending.replace(/\{(done|total|rate)\}/g, (_, key) => say[key]);
    });
    request.upload.addEventListener("load", () => {
      bar.removeAttribute("value"); // how long the proving takes only the server knows
      text.textContent = form.dataset.proving;
      announce(form.dataset.proving);
    });
    request.addEventListener("load", () => {
      const to = request.getResponseHeader("HX-Redirect");
      if (to) {
        sending = null;
        location.assign(to);
        return;
      }
      const answer = new DOMParser().parseFromString(request.responseText, "text/html");
      failed("");
      doc.getElementById("toasts").append(...answer.body.childNodes);
    });
    request.addEventListener("error", () => failed(form.dataset.lost));
    request.addEventListener("abort", () => failed(form.dataset.stopped));
    request.open("POST", form.action);
    request.setRequestHeader("HX-Request", "true");
    request.setRequestHeader("HX-Request-Type", "partial");
    request.send(new FormData(form));
  }

  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    doc.addEventListener(kind, (event) => {
      const form = doc.querySelector("form[data-upload]");
      if (!form || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault(); // or the browser opens what misses the zone
      const zone = event.target instanceof Element && event.target.closest("[data-drop]");
      const over = zone && (kind === "dragenter" || kind === "dragover");
      form.querySelector("[data-drop]").toggleAttribute("data-over", Boolean(over));
      if (kind !== "drop" || !zone || sending) return;
      form.querySelector("input[type=file]").files = event.dataTransfer.files;
      refuseLarge(form);
    });
  }
  window.addEventListener("beforeunload", (event) => {
    if (sending) event.preventDefault();
  });

  // ---- listeners

  doc.addEventListener("click", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if (!target) return;
    closeMenus(target.closest("details[data-menu]"));
    followed = target.closest("a[hx-get]");
    if (target.matches("[data-box]") && boxList(target).hidden) askBox(target, 0);
    const copyButton = target.closest("[data-copy], [data-copy-from]");
    if (copyButton) {
      event.preventDefault();
      copy(copyButton);
      return;
    }
    const opener = target.closest("[data-dialog]");
    if (opener) {
      event.preventDefault();
      openDialog(opener.dataset.dialog);
      return;
    }
    if (target.closest("[data-upload-cancel]")) sending?.abort();
    const closer = target.closest("[data-dismiss]");
    if (closer) closer.closest("[data-dismissable]")?.remove();
    if (target.matches("dialog")) target.close(); // the backdrop
  });

  doc.addEventListener("submit", (event) => {
    const form = event.target;
    for (const box of $$("[data-box]", form)) closeBox(box);
    // htmx may have changed the address since the page was written.
    const back = form.querySelector("input[name=back]");
    if (back) back.value = location.pathname + location.search;
    if (form.matches("form[data-upload]")) {
      event.preventDefault();
      if (!sending && !refuseLarge(form)) upload(form);
    }
    if (form.matches("form[data-theme-form]") && event.submitter) {
      event.preventDefault();
      switchTheme(form, event.submitter);
    }
  });

  doc.addEventListener("change", (event) => {
    const input = event.target;
    if (input.matches("form[data-upload] input[type=file]")) refuseLarge(input.form);
    const form = input.closest("[data-picks]");
    if (!form) return;
    if (input.matches("[data-pick-all]")) {
      for (const pick of $$("input[data-pick]", form)) if (!pick.disabled) pick.checked = input.checked;
    }
    tally(form);
  });

  doc.addEventListener("reset", (event) => {
    // The boxes are as they were only after the event.
    if (event.target.closest("[data-picks]")) setTimeout(tallyAll);
  });

  doc.addEventListener("keydown", (event) => {
    // 229: a key that an input method takes, as for Korean. Safari says so after the composition has ended.
    if (event.defaultPrevented || event.isComposing || event.keyCode === 229 || event.altKey) return;
    const target = event.target;
    const writes = target.closest("input, textarea, select, [contenteditable], dialog");
    if (event.ctrlKey || event.metaKey) {
      if (event.key !== "k" || event.shiftKey || writes) return;
      event.preventDefault();
      goToBox();
      return;
    }
    if (target.matches("[data-box]") && boxKey(target, event.key)) {
      event.preventDefault();
      return;
    }
    if (event.key === "Escape") {
      closeMenus(); // dialogs close by themselves
      return;
    }
    if (writes) return;
    const row = target.closest("[data-row]");
    switch (event.key) {
      case "/":
        goToBox();
        break;
      case "j":
        moveRow(1);
        break;
      case "k":
        moveRow(-1);
        break;
      case "ArrowDown":
        if (!moveInPanel(row, 1)) return;
        break;
      case "ArrowUp":
        if (!moveInPanel(row, -1)) return;
        break;
      case "f":
        if (!goToFilter()) return;
        break;
      case "x":
        if (!tickRow(row)) return;
        break;
      case "X":
        if (!tickRows(row)) return;
        break;
      case "?":
        openDialog("keys");
        break;
      default:
        return;
    }
    event.preventDefault();
  });

  // ---- a link that is gone when its answer comes, as a result is on a phone, hands the focus on to [data-takes-focus]

  let followed = null;

  function handFocusOn() {
    if (!followed || followed.offsetParent) return;
    const lost = [followed, doc.body, null].includes(doc.activeElement);
    followed = null;
    if (lost) $$("[data-takes-focus]").find((el) => el.offsetParent)?.focus({ preventScroll: true });
  }

  // ---- [data-poll] asks again by itself, but not while nobody sees the page
  doc.addEventListener("htmx:before:request", (event) => {
    if (doc.hidden && event.target.matches?.("[data-poll]")) event.preventDefault();
  });

  // ---- [data-stream-lost] shows while the stream of a live page is interrupted
  function streamLost(lost) {
    for (const notice of $$("[data-stream-lost]")) notice.hidden = !lost;
  }
  doc.addEventListener("htmx:sse:error", () => streamLost(true));
  doc.addEventListener("htmx:sse:after:connection", () => streamLost(false));
  doc.addEventListener("htmx:sse:close", () => streamLost(false));

  doc.addEventListener("htmx:after:swap", (event) => {
    if (event.detail?.ctx?.target?.querySelector?.("form[data-follows]")) follow();
    showBox();
    refreshTimes();
    tallyAll();
    showCurrentTabs();
    showPicks();
    handFocusOn();
  });
  doc.addEventListener("visibilitychange", () => {
    if (!doc.hidden) refreshTimes();
  });
  window.addEventListener("pageshow", tallyAll); // the browser restores ticks on the way back
  setInterval(refreshTimes, 60_000);
  refreshTimes();
  tallyAll();
  showCurrentTabs();
  showPicks();
})();
