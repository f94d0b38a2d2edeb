// Runs through a part of a world's past beside the picture, as quickly as the server shows it, to hear what happened there.
//
// Events are not in the log: they come of computing the world again, which a stream does. One scout at a time.

const SPEED = 64;
const HZ = 10; // frames with all that happened between them
const SILENCE_MS = 10_000;

/** A run from behind tick `from`. `onFrame(frame)` gets every frame; `settled` is done when it is over, whatever ended it. */
export class Scout {
  constructor(wire, world, from, last, onFrame) {
    Object.assign(this, { wire, last, onFrame });
    this.error = null;
    this.settled = new Promise((resolve) => {
      this._resolve = resolve;
    });
    this._stops = [wire.on("push", (push) => this._hear(push)), wire.on("state", (state) => state !== "open" && this.stop())];
    this._begin(world, from);
  }

  /** Ends the run: what it has heard so far stays. */
  stop() {
    if (this._over) return;
    this._over = true;
    clearTimeout(this._silence);
    for (const stop of this._stops) stop();
    if (this.watch && this.wire.state === "open") this.wire.request("control", { watch: this.watch, action: "stop" }).catch(() => {});
    this._resolve();
  }

  async _begin(world, from) {
    try {
      const { watch } = await this.wire.request("watch", { world, from_tick: from, hz: HZ, speed: SPEED });
      this.watch = watch;
      if (this._over) this.wire.request("control", { watch, action: "stop" }).catch(() => {});
      else this._wait();
    } catch (error) {
      this.error = error;
      this.stop();
    }
  }

  _hear(push) {
    if (this.watch === undefined) return;
    if (push.type === "watching" && push.instead_of === this.watch) {
      this.watch = push.watch; // what showed it has died: it is not worth another
      this.stop();
    }
    if (push.watch !== this.watch) return;
    if (push.type === "notice") this.stop(); // its stream has ended
    if (push.type !== "frame") return;
    this._wait();
    this.onFrame(push);
    if (push.tick >= this.last) this.stop();
  }

  /** A stream that is silent for long has nothing more to tell. */
  _wait() {
    clearTimeout(this._silence);
    this._silence = setTimeout(() => this.stop(), SILENCE_MS);
  }
}
