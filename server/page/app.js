// Starts the page: one connection, one view by address, the bar above it.

import { render } from "/page/vendor/preact-htm.js";
import { Game } from "/page/game.js";
import { Home } from "/page/home.js";
import { readRoute } from "/page/route.js";
import { announce, Dialog, html, Problem, useChanges, useEffect, useRef, useState } from "/page/ui.js";
import { Wire } from "/page/wire.js";

const STATE_WORDS = {
  connecting: "connecting …",
  open: "connected",
  lost: "connection lost, trying again …",
  taken: "this session is open in another tab",
  refused: "the server refused the connection",
};

function Connection({ wire }) {
  useChanges((again) => wire.on("state", again), [wire]);
  useEffect(
    () =>
      wire.on("state", (state) => {
        if (state !== "connecting") announce(STATE_WORDS[state], { now: true });
      }),
    [wire],
  );
  const waits = wire.state === "taken" || wire.state === "refused";
  return html`<span class=${`connection ${wire.state}`} title=${wire.why || undefined}>${STATE_WORDS[wire.state]}</span>
    ${waits ? html`<button type="button" onClick=${() => wire.again()}>Connect here</button>` : null}`;
}

function Identity({ wire, onClose }) {
  const name = useRef(null);
  const token = useRef(null);
  const save = (event) => {
    event.preventDefault();
    wire.identify(name.current.value.trim(), token.current.value.trim());
    onClose();
  };
  return html`<${Dialog} title="Who you are here" onClose=${onClose}>
    <form onSubmit=${save}>
      <p>You are <strong>${wire.welcome?.name}</strong>, role ${wire.welcome?.role}. Players of this tab are given up when you change it.</p>
      <div class="field">
        <label for="identity-name">Name</label>
        <input id="identity-name" ref=${name} maxlength="64" defaultValue=${wire.name ?? ""} autocomplete="nickname" />
      </div>
      <div class="field">
        <label for="identity-token">Token <span class="quiet">optional; without one you are a guest</span></label>
        <input id="identity-token" ref=${token} type="password" autocomplete="off" />
      </div>
      <p class="actions"><button type="submit" class="primary">Use these</button></p>
    </form>
  <//>`;
}

function Bar({ wire }) {
  const [asking, setAsking] = useState(false);
  useChanges((again) => wire.on("state", again), [wire]);
  return html`<header class="bar">
    <a class="skip" href="#main" onClick=${skip}>To the content</a>
    <a class="brand" href="#/"><img src="/page/icon.svg" alt="" width="24" height="24" /> Worldline</a>
    <span class="room"></span>
    <${Connection} wire=${wire} />
    ${wire.welcome ? html`<button type="button" onClick=${() => setAsking(true)} aria-haspopup="dialog">${wire.welcome.name}<span class="role"> · ${wire.welcome.role}</span></button>` : null}
    ${asking ? html`<${Identity} wire=${wire} onClose=${() => setAsking(false)} />` : null}
  </header>`;
}

function skip(event) {
  event.preventDefault();
  const main = document.getElementById("main");
  main.tabIndex = -1;
  main.focus();
}

// What the first view does without is fetched when it is wanted.
const FETCHED = {
  world: () => import("/page/world.js").then((module) => module.World),
  play: () => import("/page/playground.js").then((module) => module.Playground),
};

/** A view that is fetched first; `what` is a name in FETCHED, the rest is for the view. */
function Fetched({ what, ...rest }) {
  const [Part, setPart] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    FETCHED[what]().then((found) => setPart(() => found), setProblem);
  }, []);
  return Part ? html`<${Part} ...${rest} />` : html`<main id="main"><${Problem} error=${problem} /></main>`;
}

function View({ wire, route, embedded }) {
  if (embedded && route.view !== "world") return html`<main id="main"><p>This address shows one world: /embed#/w/WORLD.</p></main>`;
  switch (route.view) {
    case "world":
      return html`<${Fetched} what="world" key=${route.world} wire=${wire} world=${route.world} tick=${route.tick} as=${route.as} visit=${route} embedded=${embedded} />`;
    case "game":
      return html`<${Game} key=${route.game} wire=${wire} game=${route.game} />`;
    case "play":
      return html`<${Fetched} what="play" key=${`play ${route.game} ${route.world}`} wire=${wire} game=${route.game} world=${route.world} />`;
    default:
      return html`<${Home} wire=${wire} />`;
  }
}

function App({ wire }) {
  const [place, setPlace] = useState({ hash: location.hash }); // another one each time: the same address may be meant again
  useEffect(() => {
    const moved = () => setPlace({ hash: location.hash });
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  const embedded = location.pathname === "/embed";
  return html`${embedded ? null : html`<${Bar} wire=${wire} />`}
    <${View} wire=${wire} route=${readRoute(place.hash)} embedded=${embedded} />
    <div id="announcements" class="unseen" aria-live="polite" role="status"></div>`;
}

const wire = new Wire(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
wire.connect();
render(html`<${App} wire=${wire} />`, document.getElementById("app"));
