// The gallery: a list of cards of which only those in view exist.

const GAP = 8, PADDING = 6, TEXT = 50, WIDEST = 130; // pixels

class Gallery {
  // drawCard(card, image) fills a card; open(index) enlarges an image.
  constructor(list, drawCard, open) {
    this.list = list;
    this.drawCard = drawCard;
    this.open = open;
    this.images = [];
    this.panels = 1;
    this.active = 0;
    this.cards = new Map();
    this.space = element("div");
    this.space.setAttribute("role", "presentation");
    list.append(this.space);
    list.addEventListener("scroll", () => this.later(), { passive: true });
    list.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.resize()).observe(list);
  }

  show(images, panels) {
    const changed = panels !== this.panels;
    this.images = images;
    this.panels = panels;
    this.active = Math.min(this.active, Math.max(0, images.length - 1));
    if (changed) this.measure();
    this.clear();
    this.layOut();
  }

  resize() {
    this.measure();
    this.clear();
    this.layOut();
  }

  measure() {
    const width = this.list.clientWidth - 2 * GAP;
    const frame = 2 * PADDING + 4;
    const gaps = 4 * (this.panels - 1);
    this.side = Math.max(40, Math.min(84, Math.floor((width - frame - gaps) / this.panels)));
    const least = Math.max(this.panels * this.side + gaps + frame, 170);
    this.columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    this.width = Math.floor((width + GAP) / this.columns) - GAP;
    this.side = Math.min(WIDEST, Math.floor((this.width - frame - gaps) / this.panels));
    this.height = this.side + TEXT + 2 * PADDING;
  }

  layOut() {
    if (!this.side) this.measure();
    const rows = Math.ceil(this.images.length / this.columns);
    this.space.style.height = `${rows * (this.height + GAP) + GAP}px`;
    this.render();
  }

  later() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.render();
    });
  }

  clear() {
    for (const card of this.cards.values()) card.remove();
    this.cards.clear();
  }

  // Make the cards in view, and one row beyond; remove the others.
  render() {
    const line = this.height + GAP;
    const first = Math.max(0, Math.floor(this.list.scrollTop / line) - 1) * this.columns;
    const last = (Math.ceil((this.list.scrollTop + this.list.clientHeight) / line) + 1) * this.columns;
    for (const [index, card] of this.cards) {
      if (index >= first && index < last) continue;
      card.remove();
      this.cards.delete(index);
    }
    for (let index = first; index < Math.min(last, this.images.length); index++) {
      if (!this.cards.has(index)) this.make(index);
    }
    this.mark();
  }

  make(index) {
    const card = element("div", { className: "card", id: `card-${index}` });
    card.setAttribute("role", "option");
    card.setAttribute("aria-setsize", this.images.length);
    card.setAttribute("aria-posinset", index + 1);
    const column = index % this.columns;
    card.style.left = `${GAP + column * (this.width + GAP)}px`;
    card.style.top = `${GAP + Math.floor(index / this.columns) * (this.height + GAP)}px`;
    card.style.width = `${this.width}px`;
    card.style.height = `${this.height}px`;
    card.addEventListener("click", () => {
      this.active = index;
      this.mark();
      this.open(index);
    });
    this.drawCard(card, this.images[index], this.side);
    this.space.append(card);
    this.cards.set(index, card);
  }

  // Draw the cards in view again, after the threshold or the opacity has changed.
  refresh() {
    for (const [index, card] of this.cards) this.drawCard(card, this.images[index], this.side);
    this.mark();
  }

  mark() {
    for (const [index, card] of this.cards) {
      card.classList.toggle("active", index === this.active);
      card.setAttribute("aria-selected", index === this.active);
    }
    if (this.cards.has(this.active)) this.list.setAttribute("aria-activedescendant", `card-${this.active}`);
    else this.list.removeAttribute("aria-activedescendant");
  }

  move(index) {
    this.active = Math.max(0, Math.min(this.images.length - 1, index));
    const line = this.height + GAP;
    const top = Math.floor(this.active / this.columns) * line;
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    const bottom = top + line + GAP - this.list.clientHeight;
    if (bottom > this.list.scrollTop) this.list.scrollTop = bottom;
    this.render();
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / (this.height + GAP))) * this.columns;
    const moves = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns,
      PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
    };
    if (event.key in moves) this.move(this.active + moves[event.key]);
    else if (event.key === "Enter" && this.images.length) this.open(this.active);
    else return;
    event.preventDefault();
  }
}
