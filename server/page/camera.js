// Which part of the world a picture shows: a centre, and pixels per unit. x is right; down is z (looking from above), or
// -y (from the side). Pure.

const CLOSEST_UNITS = 4; // so much of the world fills the picture at the closest
const MARGIN = 1.03;

export class Camera {
  constructor() {
    this.x = 0;
    this.down = 0;
    this.scale = 1;
    this.width = 1;
    this.height = 1;
    this.fitted = true; // shows the whole world, also when the picture's size changes
    this.bounds = { west: -1, east: 1, north: -1, south: 1 };
  }

  resize(width, height) {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    if (this.fitted) this.fit();
    else this._limit();
  }

  setBounds(bounds) {
    this.bounds = bounds;
    if (this.fitted) this.fit();
  }

  fit() {
    this.fitted = true;
    this.scale = this._fitting();
    this.x = (this.bounds.west + this.bounds.east) / 2;
    this.down = (this.bounds.north + this.bounds.south) / 2;
  }

  /** Closer by `factor` (> 1) or farther, with the world's point under the pixel (px, py) staying there. */
  zoom(factor, px = this.width / 2, py = this.height / 2) {
    const [x, down] = this.toWorld(px, py);
    this.scale *= factor;
    this.fitted = false;
    this._limit();
    this.x = x - (px - this.width / 2) / this.scale;
    this.down = down - (py - this.height / 2) / this.scale;
    this._limit();
  }

  /** The picture moves by pixels. */
  pan(dx, dy) {
    this.fitted = false;
    this.x -= dx / this.scale;
    this.down -= dy / this.scale;
    this._limit();
  }

  centre(x, down) {
    this.x = x;
    this.down = down;
    this._limit();
  }

  toPixels(x, down) {
    return [(x - this.x) * this.scale + this.width / 2, (down - this.down) * this.scale + this.height / 2];
  }

  toWorld(px, py) {
    return [(px - this.width / 2) / this.scale + this.x, (py - this.height / 2) / this.scale + this.down];
  }

  /** How much of the world is seen, from 0 to 1. */
  get share() {
    return Math.min(1, this._fitting() / this.scale);
  }

  _fitting() {
    const { west, east, north, south } = this.bounds;
    return Math.min(this.width / ((east - west) * MARGIN), this.height / ((south - north) * MARGIN));
  }

  _limit() {
    const least = this._fitting();
    const most = Math.max(least, Math.min(this.width, this.height) / CLOSEST_UNITS);
    this.scale = Math.max(least, Math.min(most, this.scale));
    if (this.scale <= least * 1.001) {
      this.fit();
      return;
    }
    const { west, east, north, south } = this.bounds;
    this.x = Math.max(west, Math.min(east, this.x));
    this.down = Math.max(north, Math.min(south, this.down));
  }
}
