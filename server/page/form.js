// A form for one declared input of a game, made from its JSON Schema, and what it says as args.

import { html, useState, words } from "/page/ui.js";

/** Args from the texts of a form's fields: empty ones are left out. Raises SyntaxError for a list that is no JSON. */
export function readArgs(schema, texts) {
  const args = {};
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const text = texts[name] ?? "";
    if (text === "") continue;
    args[name] = readValue(property, text);
  }
  return args;
}

function readValue(property, text) {
  switch (property.type) {
    case "number":
    case "integer":
      return Number(text);
    case "boolean":
      return text === "true";
    case "array":
    case "object":
      return JSON.parse(text);
    default:
      return text;
  }
}

function bounds(property) {
  const parts = [];
  if (property.minimum !== undefined) parts.push(`from ${property.minimum}`);
  if (property.maximum !== undefined) parts.push(`to ${property.maximum}`);
  if (property.maxLength !== undefined && !property.pattern) parts.push(`at most ${property.maxLength} characters`);
  return parts.join(" ");
}

function Field({ name, property, required, id, value, onInput }) {
  const help = [property.description, bounds(property)].filter(Boolean).join(" · ");
  const shared = { id, required, value, onInput: (event) => onInput(event.currentTarget.value), "aria-describedby": help ? `${id}-help` : undefined };
  const choices = property.enum ?? (property.type === "boolean" ? ["true", "false"] : undefined);
  const numeric = property.type === "number" || property.type === "integer";
  return html`<div class="field">
    <label for=${id}>${words(name)}${required ? "" : html` <span class="quiet">optional</span>`}</label>
    ${choices
      ? html`<select ...${shared}>
          <option value=""></option>
          ${choices.map((choice) => html`<option value=${String(choice)}>${String(choice)}</option>`)}
        </select>`
      : html`<input
          ...${shared}
          type=${numeric ? "number" : "text"}
          step=${property.type === "number" ? "any" : undefined}
          min=${property.minimum}
          max=${property.maximum}
          maxlength=${property.maxLength}
          placeholder=${property.type === "array" ? "[…]" : undefined}
          autocomplete="off"
        />`}
    ${help ? html`<p class="quiet" id=${`${id}-help`}>${help}</p>` : null}
  </div>`;
}

/** One input as a form; `onSend(name, args)` is called with what was filled in. */
export function InputForm({ name, schema, busy, onSend }) {
  const [texts, setTexts] = useState({});
  const [problem, setProblem] = useState(null);
  const send = (event) => {
    event.preventDefault();
    try {
      setProblem(null);
      onSend(name, readArgs(schema, texts));
    } catch (error) {
      setProblem(error);
    }
  };
  const fields = Object.entries(schema.properties ?? {});
  return html`<form class="input-form" onSubmit=${send} aria-label=${words(name)}>
    <div class="input-head">
      <button type="submit" class="primary" disabled=${busy}>${words(name)}</button>
      <p class="quiet">${schema.description}</p>
    </div>
    <div class="fields">
      ${fields.map(
        ([field, property]) => html`<${Field}
          key=${field}
          id=${`input-${name}-${field}`}
          name=${field}
          property=${property}
          required=${(schema.required ?? []).includes(field)}
          value=${texts[field] ?? ""}
          onInput=${(text) => setTexts({ ...texts, [field]: text })}
        />`,
      )}
    </div>
    ${problem ? html`<p class="problem" role="alert">${problem.message}</p>` : null}
  </form>`;
}
