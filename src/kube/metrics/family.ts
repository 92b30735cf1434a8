import { Gauge, type Registry } from 'prom-client';

export interface Row {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A gauge whose series are computed when it is asked for: a series is gone with the object that it spoke of. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly rows: () => Iterable<Row>;
}

/** Puts such gauges into a registry. While `told` says no, they have no series. */
export function registerFamilies(
  register: Registry,
  families: readonly Family[],
  told: () => boolean = () => true,
): void {
  for (const { name, help, labelNames, rows } of families) {
    const gauge = new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [],
      collect() {
        this.reset();
        if (!told()) return;
        for (const { labels, value } of rows()) this.set({ ...labels }, value);
      },
    });
    register.registerMetric(gauge);
  }
}
