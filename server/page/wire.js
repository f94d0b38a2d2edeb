// The page's end of the WebSocket: one request, one reply; pushes to whoever listens; comes back after a cut.
//
// It speaks the JSON subprotocol as any client does. Invariant: every promise of `request` is settled: by its reply, by
// an error of the server, or with the code "disconnected".
//
// Not here: what messages mean.

const SUBPROTOCOL = "worldline.v1.json";
const RESUME_KEY = "worldline.resume";
const NAME_KEY = "worldline.name";
const TOKEN_KEY = "worldline.token";
const BACK_OFF_MS = [250, 500, 1000, 2000, 4000];
const RETRIES = 5;
/** Close codes after which coming back by itself would be wrong, and why. */
const FINAL_CLOSES = new Map([
  [1008, "refused"],
  [4001, "taken"],
]);

/** What the server refused, or the loss of the connection (code "disconnected"). */
export class WireError extends Error {
  constructor({ code, message, hint, path, data, valid, retry_after_ms }) {
    super(message);
    Object.assign(this, { code, hint, path, data, valid, retryAfterMs: retry_after_ms });
  }
}

/**
 * One session with the server. `state` is connecting, open, lost (it comes back by itself), taken (by another tab) or
 * refused; `welcome` is the last welcome.
 */
export class Wire {
  constructor(url) {
    this.url = url;
    this.state = "connecting";
    this.why = "";
    this.welcome = null;
    this._socket = null;
    this._number = 0;
    this._open = new Map();
    this._listeners = new Map();
    this._attempt = 0;
  }

  /** Calls `listener` for every `kind`: state, push, raw ({way, text}). Returns a function that ends this. */
  on(kind, listener) {
    if (!this._listeners.has(kind)) this._listeners.set(kind, new Set());
    this._listeners.get(kind).add(listener);
    return () => this._listeners.get(kind).delete(listener);
  }

  connect() {
    const socket = new WebSocket(this.url, [SUBPROTOCOL]);
    this._socket = socket;
    socket.onopen = () => socket === this._socket && this._greet(socket);
    socket.onmessage = (event) => socket === this._socket && this._receive(event.data);
    socket.onclose = (event) => socket === this._socket && this._closed(event);
  }

  /** Cuts the connection without a word to the session, as a bad network would. It comes back by itself. */
  cut() {
    const socket = this._socket;
    if (socket === null) return; // that is so already
    this._closed({ code: 1006, reason: "cut by hand" });
    socket.close();
  }

  /** Comes back after taken or refused, or at once while it waits. */
  again() {
    clearTimeout(this._timer);
    this._socket?.close();
    this._set("connecting");
    this.connect();
  }

  /** Whether the server has an optional part of the protocol. */
  has(feature) {
    return Boolean(this.welcome?.features.includes(feature));
  }

  get name() {
    return localStorage.getItem(NAME_KEY) || undefined;
  }

  /** The token of this tab; plain HTTP wants it, too. */
  get token() {
    return sessionStorage.getItem(TOKEN_KEY) ?? undefined;
  }

  /** Another name or token: a new session begins with them. An empty token is that of a guest. */
  identify(name, token) {
    localStorage.setItem(NAME_KEY, name);
    if (token) sessionStorage.setItem(TOKEN_KEY, token);
    else sessionStorage.removeItem(TOKEN_KEY);
    sessionStorage.removeItem(RESUME_KEY);
    this.cut();
    this.again();
  }

  /** Sends a request; resolves to its reply, rejects with WireError. Refusals that pass are waited out. */
  async request(type, fields = {}) {
    for (let attempt = 0; ; attempt += 1) {
      await this.opened();
      try {
        return await this._ask(type, fields);
      } catch (error) {
        const passes = ["rate_limited", "overloaded", "too_many_open"].includes(error.code);
        if (!passes || attempt >= RETRIES) throw error;
        await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs ?? 500));
      }
    }
  }

  /** A request that changes nothing: one that a cut has left without an answer is sent again. */
  async read(type, fields = {}) {
    for (;;) {
      try {
        return await this.request(type, fields);
      } catch (error) {
        if (error.code !== "disconnected") throw error;
      }
    }
  }

  /** Resolves when requests can be sent; rejects when they never will without the person's help. */
  opened() {
    if (this.state === "open") return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = this.on("state", (state) => {
        if (state === "connecting" || state === "lost") return;
        stop();
        if (state === "open") resolve();
        else reject(new WireError({ code: "disconnected", message: this.why }));
      });
    });
  }

  /** The replies to a `log` request and to those for what comes next, as long as they are wanted: `for await`. */
  async *logPages({ from_tick, ...fields }) {
    for (let next = from_tick; ; ) {
      const reply = await this.read("log", { ...fields, from_tick: next });
      yield reply;
      next = reply.next ?? undefined;
      if (next === undefined) return;
    }
  }

  // --- inside ----------------------------------------------------------------------------------------

  _emit(kind, value) {
    for (const listener of [...(this._listeners.get(kind) ?? [])]) listener(value);
  }

  _set(state, why = "") {
    this.state = state;
    this.why = why;
    this._emit("state", state);
  }

  _ask(type, fields) {
    const id = (this._number += 1);
    return new Promise((resolve, reject) => {
      this._open.set(id, { resolve, reject });
      this._send({ type, id, ...fields });
    });
  }

  _send(message) {
    const text = JSON.stringify(message);
    this._emit("raw", { way: "out", text });
    this._socket.send(text);
  }

  async _greet(socket) {
    const resume = sessionStorage.getItem(RESUME_KEY) ?? undefined;
    const token = sessionStorage.getItem(TOKEN_KEY) ?? undefined;
    try {
      const welcome = await this._ask("hello", { name: this.name, client: "worldline-page", resume, token });
      if (socket !== this._socket) return;
      this.welcome = welcome;
      sessionStorage.setItem(RESUME_KEY, welcome.resume);
      this._attempt = 0;
      this._set("open");
    } catch (error) {
      if (socket !== this._socket || error.code === "disconnected") return;
      sessionStorage.removeItem(TOKEN_KEY);
      this._set("refused", [error.message, error.hint].filter(Boolean).join(" "));
    }
  }

  _receive(text) {
    this._emit("raw", { way: "in", text });
    const message = JSON.parse(text);
    const waiting = this._open.get(message.re);
    if (waiting === undefined) {
      this._emit("push", message);
      return;
    }
    this._open.delete(message.re);
    if (message.type === "error") waiting.reject(new WireError(message));
    else waiting.resolve(message);
  }

  _closed({ code, reason }) {
    this._socket = null;
    const open = [...this._open.values()];
    this._open.clear();
    const lost = new WireError({ code: "disconnected", message: "The connection was lost." });
    for (const waiting of open) waiting.reject(lost);
    if (this.state === "refused") return;
    if (FINAL_CLOSES.has(code)) {
      this._set(FINAL_CLOSES.get(code), reason || `closed with ${code}`);
      return;
    }
    const told = /retry_after_ms=(\d+)/.exec(reason ?? "");
    const usual = BACK_OFF_MS[Math.min(this._attempt, BACK_OFF_MS.length - 1)];
    const wait = Math.max(told ? Number(told[1]) : 0, usual * (0.75 + Math.random() / 2));
    this._attempt += 1;
    this._set("lost", reason);
    this._timer = setTimeout(() => this.connect(), wait);
  }
}
