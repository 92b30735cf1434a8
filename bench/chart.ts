import { type ScenarioResult, summarize } from './results.ts';

const WIDTH = 760;
const LABEL = 260;
const BAR = 18;
const GAP = 8;
const HEAD = 34;

/** A bar for each contender, as long as it moves bytes fast; one scale for each scenario. Readable on light and dark. */
export function drawChart(results: readonly ScenarioResult[]): string {
  const parts: string[] = [];
  let y = 8;
  for (const result of results) {
    const rows = summarize(result);
    const most = Math.max(...rows.map(({ megabytesPerSecond }) => megabytesPerSecond));
    parts.push(text(0, y + 16, `${result.name}: MB/s`, 'bold'));
    y += HEAD - GAP;
    rows.forEach(({ name, megabytesPerSecond }, i) => {
      const length = Math.max(2, ((WIDTH - LABEL - 70) * megabytesPerSecond) / most);
      parts.push(text(8, y + 13, name));
      parts.push(
        `<rect x="${LABEL}" y="${y}" width="${length.toFixed(0)}" height="${BAR}" rx="2" fill="${i === 0 ? '#0f7b8a' : '#9aa4ad'}"/>`,
      );
      parts.push(text(LABEL + length + 6, y + 13, megabytesPerSecond.toFixed(0)));
      y += BAR + GAP;
    });
    y += GAP;
  }
  const style = 'font: 13px system-ui, sans-serif; fill: #6b7680';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" style="${style}" role="img" aria-label="Throughput in MB/s, longer is faster">\n${parts.join('\n')}\n</svg>\n`;
}

function text(x: number, y: number, words: string, weight = 'normal'): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(0)}" y="${y}" font-weight="${weight}">${escaped}</text>`;
}
