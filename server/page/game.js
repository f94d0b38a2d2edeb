// One game: how it is played (its SKILL.md), and what it is made of.

import { Leaders } from "/page/leaders.js";
import { html, Problem, useEffect, useState, useTitle } from "/page/ui.js";

/** The rules of a game. */
export function Game({ wire, game }) {
  const [rules, setRules] = useState(null);
  const [problem, setProblem] = useState(null);
  const [Markdown, setMarkdown] = useState(null);
  useTitle(rules?.title ?? game);
  useEffect(() => {
    let wanted = true;
    setRules(null);
    setProblem(null);
    Promise.all([wire.read("rules", { game }), import("/page/markdown.js")]).then(
      ([reply, module]) => {
        if (!wanted) return;
        setMarkdown(() => module.Markdown);
        setRules(reply);
      },
      (error) => wanted && setProblem(error),
    );
    return () => {
      wanted = false;
    };
  }, [wire, game]);
  const canPlay = wire.welcome !== null && wire.welcome.role !== "spectator";
  return html`<main id="main" class="game">
    <p><a href="#/">All games and worlds</a></p>
    <h1>${rules?.title ?? game}</h1>
    <${Problem} error=${problem} />
    ${rules
      ? html`<p class="quiet">
            ${rules.clock}${rules.clock === "realtime" ? ` ${rules.tick_hz} Hz` : ""}${rules.deadline_ms ? ` · ${rules.deadline_ms / 1000} s to act` : ""} · code${" "}
            <code>${rules.digest.slice(0, 12)}</code>
          </p>
          ${canPlay ? html`<p class="actions"><a class="button" href=${`#/play/${game}`}>Play by hand</a></p>` : null}
          <${Leaders} wire=${wire} game=${game} />
          <article><${Markdown} text=${rules.markdown} /></article>`
      : null}
  </main>`;
}
