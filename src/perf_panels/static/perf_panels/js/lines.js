/* The line profiler in the browser: deeper, less deep, run again, downloads. Everything hangs on listeners of the toolbar's
   root and everything is read from the page, as the panel is replaced whenever it is loaded again. */
import { getDebugElement } from "../../debug_toolbar/js/utils.js";
import { fragment, post, sideBar } from "./common.js";

const root = getDebugElement();
const COPIED_MS = 1500;

function panelOf(element) {
    return element.closest(".perf-lines");
}

function say(element, text, kind = "answer") {
    const near = element.closest(".perf-run") ?? panelOf(element).querySelector(".perf-selection");
    const place =
        near.querySelector(`.perf-${kind}`) ?? panelOf(element).querySelector(`.perf-selection .perf-${kind}`);
    place.textContent = text;
}

async function busy(button, work) {
    button.disabled = true;
    say(button, "");
    try {
        await work();
    } catch (error) {
        say(button, error.message);
    } finally {
        button.disabled = false;
    }
}

/* Make the request of this panel once more, and show what is timed of it. */
async function again(panel) {
    const { replay, accept, refreshUrl, refreshToken } = panel.dataset;
    if (replay === undefined) {
        state(panel, panel.dataset.reload);
        return;
    }
    state(panel, panel.dataset.running);
    panel.setAttribute("aria-busy", "true");
    try {
        await fetch(replay, { credentials: "same-origin", headers: { Accept: accept } }).then(drain, () => {
            throw new Error(panel.dataset.offline);
        });
        show(panel, await post(panel, refreshUrl, { token: refreshToken }));
    } finally {
        panel.removeAttribute("aria-busy");
        if (panel.isConnected) {
            state(panel, "");
        }
    }
}

/* The toolbar stores a request before its body is sent; a long body is not worth reading. */
function drain(response) {
    return response.body?.cancel();
}

function state(panel, text) {
    panel.querySelector(".perf-selection .perf-state").textContent = text;
}

/* Put the new run where the old one was: what was open is open again. */
function show(panel, answer) {
    const fresh = fragment(answer.content).querySelector(".perf-panel");
    if (!(fresh && panel.isConnected)) {
        return;
    }
    const opened = new Set([...panel.querySelectorAll(".perf-function[open]")].map((each) => each.dataset.source));
    const known = new Set([...panel.querySelectorAll(".perf-function")].map((each) => each.dataset.source));
    for (const each of fresh.querySelectorAll(".perf-function")) {
        // What was not there before was just asked for.
        each.open ||= opened.has(each.dataset.source) || !known.has(each.dataset.source);
    }
    const added = [...fresh.querySelectorAll(".perf-function")].find((each) => !known.has(each.dataset.source));
    panel.replaceWith(fresh);
    sideBar(fresh, answer.subtitle);
    fresh.focus({ preventScroll: true });
    if (added) {
        added.querySelector("summary").focus({ preventScroll: true });
        added.scrollIntoView({ block: "nearest" });
    }
}

function choose(button, url, fields) {
    const panel = panelOf(button);
    busy(button, async () => {
        const answer = await post(panel, url, fields);
        state(panel, answer.said);
        await again(panel);
        if (panel.isConnected) {
            state(panel, `${answer.said} ${panel.dataset.reload}`);
        }
    });
}

function add(form) {
    const { perfAdd, perfToken } = form.dataset;
    choose(form.querySelector("button"), perfAdd, { token: perfToken, name: form.elements.name.value });
}

function download(button) {
    const { perfDownload, perfToken } = button.dataset;
    busy(button, async () => {
        const body = new FormData();
        body.append("token", perfToken);
        const response = await fetch(perfDownload, { method: "POST", body }).catch(() => null);
        if (!response) {
            throw new Error(panelOf(button).dataset.offline);
        }
        if (!response.ok) {
            throw new Error((await response.json()).error);
        }
        const name = response.headers.get("Content-Disposition").match(/filename="([^"]+)"/)[1];
        const link = document.createElement("a");
        link.href = URL.createObjectURL(await response.blob());
        link.download = name;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), COPIED_MS);
    });
}

function markdown(button) {
    const { perfCopyMarkdown, perfToken, done } = button.dataset;
    busy(button, async () => {
        const { text } = await post(panelOf(button), perfCopyMarkdown, { token: perfToken });
        try {
            await navigator.clipboard.writeText(text);
        } catch {
            // Without a secure context there is no clipboard API: leave the text selected for Ctrl+C.
            const shown = button.closest(".perf-run").appendChild(document.createElement("textarea"));
            shown.value = text;
            shown.select();
            return;
        }
        const label = button.textContent;
        button.textContent = done;
        setTimeout(() => {
            button.textContent = label;
        }, COPIED_MS);
    });
}

const CLICKS = {
    "[data-perf-deeper]": (button) =>
        choose(button, panelOf(button).dataset.deeperUrl, { token: button.dataset.perfDeeper }),
    "[data-perf-remove]": (button) =>
        choose(button, panelOf(button).dataset.removeUrl, { token: button.dataset.perfRemove }),
    "[data-perf-again]": (button) => busy(button, () => again(panelOf(button))),
    "[data-perf-download]": download,
    "[data-perf-copy-markdown]": markdown,
};

function onClick(event) {
    if (!event.target.closest(".perf-lines")) {
        return;
    }
    for (const [selector, handle] of Object.entries(CLICKS)) {
        const button = event.target.closest(selector);
        if (button) {
            handle(button);
            return;
        }
    }
}

function onSubmit(event) {
    const form = event.target.closest?.(".perf-lines [data-perf-add]");
    if (form) {
        event.preventDefault();
        add(form);
    }
}

function onKey(event) {
    const field = event.target.closest?.(".perf-lines .perf-add input");
    if (field?.value && event.key === "Escape") {
        // Otherwise the toolbar, which listens further out, would close the whole panel.
        event.stopPropagation();
        event.preventDefault();
        field.value = "";
    }
}

if (root && !root.dataset.perfLines) {
    root.dataset.perfLines = "ready";
    root.addEventListener("click", onClick);
    root.addEventListener("submit", onSubmit);
    root.addEventListener("keydown", onKey);
}
