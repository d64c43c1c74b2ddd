/* What every panel's page does in the browser: copy buttons. Loaded again with every panel, so it must not bind twice. */
import { getDebugElement } from "../../debug_toolbar/js/utils.js";

const root = getDebugElement();

async function copy(text, code) {
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        // Without a secure context there is no clipboard API: leave the text selected for Ctrl+C.
        globalThis.getSelection().selectAllChildren(code);
    }
}

async function onClick(event) {
    const button = event.target.closest("[data-perf-copy]");
    if (!button) {
        return;
    }
    const code = button.parentElement.querySelector("code");
    await copy(code.textContent, code);
    const label = button.textContent;
    if (label !== button.dataset.done) {
        button.textContent = button.dataset.done;
        setTimeout(() => {
            button.textContent = label;
        }, 1500);
    }
}

if (root && !root.dataset.perfPanels) {
    root.dataset.perfPanels = "ready";
    root.addEventListener("click", onClick);
}
