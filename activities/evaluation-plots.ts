import { Resvg } from '@resvg/resvg-js';

/** Pixels per unit of the drawing: charts stay sharp on dense screens. */
const SCALE = 2;

/** Draws an SVG chart as PNG, with the fonts of the machine. */
export function renderPng(svg: string): Promise<Uint8Array> {
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: SCALE },
    background: '#ffffff',
    font: { loadSystemFonts: true, defaultFontFamily: 'DejaVu Sans' },
  }).render();
  return Promise.resolve(image.asPng());
}
