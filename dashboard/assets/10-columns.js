/* The study's points as typed columns: decoding what the server sends, appending, and the non-dominated front. */
(function () {
  "use strict";
  const aster = (window.aster = window.aster || {});
  const MISSING = 0xffff;
  const VIEWS = { float64: Float64Array, float32: Float32Array, int32: Int32Array, code: Uint16Array };

  function decode(column) {
    const text = atob(column.data);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new VIEWS[column.kind](bytes.buffer);
  }

  function grown(old, rows, Kind, blank) {
    const values = new Kind(rows).fill(blank);
    if (old) values.set(old);
    return values;
  }

  /** Points of one study in the order of their ids; grows by whole batches. */
  class Table {
    constructor(study, objectives) {
      this.study = study;
      this.objectives = objectives;
      this.rows = 0;
      this.last = 0;
      this.columns = new Map();
      this.front = new Set();
      this.rowOf = new Map();
      this.knobs = [];
    }

    append(message) {
      const known = new Set(this.knobs.map((knob) => knob.name));
      this.knobs.push(...message.knobs.filter((knob) => !known.has(knob.name)));
      if (message.rows === 0) {
        this.last = Math.max(this.last, message.last);
        return;
      }
      const from = this.rows;
      this.rows += message.rows;
      const names = new Set([...this.columns.keys(), ...Object.keys(message.columns)]);
      for (const name of names) this.appendColumn(name, message.columns[name], from);
      this.last = message.last;
      const ids = this.values("id");
      for (let row = from; row < this.rows; row++) this.rowOf.set(ids[row], row);
      this.updateFront(from);
    }

    appendColumn(name, incoming, from) {
      let column = this.columns.get(name);
      const words = incoming && incoming.kind === "code";
      if (column && incoming && words !== Boolean(column.levels)) {
        column = column.levels ? column : asWords(column, from);
        incoming = words ? incoming : { levels: null, numbers: decode(incoming) };
      }
      if (column ? column.levels : words) {
        const levels = column ? column.levels : [];
        const values = grown(column && column.values, this.rows, Uint16Array, MISSING);
        if (incoming) {
          const code = new Map(levels.map((level, i) => [level, i]));
          const of = (word) => {
            if (!code.has(word)) code.set(word, levels.push(word) - 1);
            return code.get(word);
          };
          if (incoming.numbers) {
            incoming.numbers.forEach((v, i) => (values[from + i] = Number.isNaN(v) ? MISSING : of(String(v))));
          } else {
            const map = incoming.levels.map(of);
            decode(incoming).forEach((c, i) => (values[from + i] = c === MISSING ? MISSING : map[c]));
          }
        }
        this.columns.set(name, { values, levels });
      } else {
        const values = grown(column && column.values, this.rows, Float64Array, NaN);
        if (incoming) values.set(decode(incoming), from);
        this.columns.set(name, { values, levels: null });
      }
    }

    has(name) { return this.columns.has(name); }
    values(name) { return this.columns.get(name).values; }
    levels(name) { return this.columns.has(name) ? this.columns.get(name).levels : null; }
    feasible(row) { return !(this.values("violation")[row] > 0); }

    /** A value as a person reads it: a number, a word, or null. */
    cell(name, row) {
      const column = this.columns.get(name);
      if (!column) return null;
      const value = column.values[row];
      if (column.levels) return value === MISSING ? null : column.levels[value];
      return Number.isNaN(value) ? null : value;
    }

    /** Keep the archive of feasible non-dominated rows, testing only the new ones against it. */
    updateFront(from) {
      const keys = this.objectives.filter((o) => this.has(o.name));
      if (keys.length === 0) return;
      const values = keys.map((o) => this.values(o.name));
      const signs = keys.map((o) => (o.direction === "max" ? -1 : 1));
      let members = [...this.front];
      for (let row = from; row < this.rows; row++) {
        if (!this.feasible(row)) continue;
        let beaten = false;
        const kept = [];
        for (const other of members) {
          const order = dominance(values, signs, other, row);
          if (order < 0) { beaten = true; break; }
          if (order === 0) kept.push(other);
        }
        if (beaten) continue;
        kept.push(row);
        members = kept;
      }
      this.front = new Set(members);
    }
  }

  function asWords(column, rows) {
    const levels = [];
    const code = new Map();
    const values = new Uint16Array(rows).fill(MISSING);
    for (let row = 0; row < rows; row++) {
      const number = column.values[row];
      if (Number.isNaN(number)) continue;
      const word = String(number);
      if (!code.has(word)) code.set(word, levels.push(word) - 1);
      values[row] = code.get(word);
    }
    return { values, levels };
  }

  /** -1 where row a dominates row b, 1 where b dominates a, else 0. */
  function dominance(values, signs, a, b) {
    let better = false, worse = false;
    for (let k = 0; k < values.length; k++) {
      const difference = signs[k] * (values[k][a] - values[k][b]);
      if (difference < 0) better = true;
      else if (difference > 0) worse = true;
      if (better && worse) return 0;
    }
    return better ? -1 : worse ? 1 : 0;
  }

  const tables = new Map();

  /** Take one message of the feed; null where it does not continue what is here (a late answer). */
  aster.ingest = function (message, objectives) {
    let table = tables.get(message.study);
    if (message.after === 0) {
      table = new Table(message.study, objectives);
      tables.clear();
      tables.set(message.study, table);
    } else if (!table || table.last !== message.after) {
      return null;
    }
    table.append(message);
    return table;
  };

  aster.table = (study) => tables.get(study);
  aster.Table = Table;
})();
