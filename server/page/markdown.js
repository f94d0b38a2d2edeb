// A game's SKILL.md as nodes of the page. The text is split up by marked; nothing of it becomes HTML: what is HTML in the
// Markdown is shown as the text it is, links lead only to the web and to places on this page, pictures are named.

import { lexer } from "/page/vendor/marked.js";
import { html } from "/page/ui.js";

/** Renders Markdown; its headings begin at h3. */
export function Markdown({ text }) {
  return html`<div class="markdown">${blocks(lexer(text.replace(/^---\n[\s\S]*?\n---\n/, "").replace(/<!--[\s\S]*?-->/g, "")))}</div>`;
}

function blocks(tokens) {
  return tokens.map(block);
}

function block(token) {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      return heading(token);
    case "paragraph":
      return html`<p>${spans(token.tokens)}</p>`;
    case "text":
      return token.tokens ? spans(token.tokens) : token.text;
    case "code":
      return html`<pre tabindex="0"><code>${token.text}</code></pre>`;
    case "blockquote":
      return html`<blockquote>${blocks(token.tokens)}</blockquote>`;
    case "hr":
      return html`<hr />`;
    case "list":
      return list(token);
    case "table":
      return table(token);
    default:
      return html`<p>${token.raw}</p>`;
  }
}

function heading(token) {
  const inside = spans(token.tokens);
  if (token.depth <= 1) return html`<h3>${inside}</h3>`;
  return token.depth === 2 ? html`<h4>${inside}</h4>` : html`<h5>${inside}</h5>`;
}

function list(token) {
  const items = token.items.map((item) => html`<li>${blocks(item.tokens)}</li>`);
  return token.ordered ? html`<ol start=${token.start || 1}>${items}</ol>` : html`<ul>${items}</ul>`;
}

function table(token) {
  const row = (cells, tag) => cells.map((cell) => html`<${tag}>${spans(cell.tokens)}<//>`);
  return html`<div class="scrolled" tabindex="0" role="region" aria-label="table">
    <table>
      <thead>
        <tr>${row(token.header, "th")}</tr>
      </thead>
      <tbody>
        ${token.rows.map((cells) => html`<tr>${row(cells, "td")}</tr>`)}
      </tbody>
    </table>
  </div>`;
}

function spans(tokens) {
  return (tokens ?? []).map(span);
}

function span(token) {
  switch (token.type) {
    case "strong":
      return html`<strong>${spans(token.tokens)}</strong>`;
    case "em":
      return html`<em>${spans(token.tokens)}</em>`;
    case "del":
      return html`<del>${spans(token.tokens)}</del>`;
    case "codespan":
      return html`<code>${token.text}</code>`;
    case "br":
      return html`<br />`;
    case "link":
      return /^https?:\/\//.test(token.href)
        ? html`<a href=${token.href} rel="noopener noreferrer nofollow" target="_blank">${spans(token.tokens)}</a>`
        : html`<span>${spans(token.tokens)}</span>`;
    case "image":
      return html`<span>[picture: ${token.text}]</span>`;
    case "escape":
      return token.text;
    case "text":
      return token.tokens ? spans(token.tokens) : unescaped(token.text);
    default:
      return token.raw;
  }
}

const ENTITIES = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };

function unescaped(text) {
  return text.replace(/&(?:amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity]);
}
