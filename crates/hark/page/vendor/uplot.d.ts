// What the page uses of uplot.js, for the type checker only: this file is not served.
export const css: string;
export class uPlot {
  constructor(options: object, data: unknown[], target: HTMLElement);
  static tzDate(date: Date, zone: string): Date;
  ctx: CanvasRenderingContext2D;
  bbox: { left: number; top: number; width: number; height: number };
  cursor: { idx: number | null; left: number; top: number };
  setData(data: unknown[], reset?: boolean): void;
  setScale(key: string, limits: { min: number; max: number }): void;
  setSize(size: { width: number; height: number }): void;
  setCursor(position: { left: number; top: number }): void;
  valToPos(value: number, scale: string, canvas?: boolean): number;
  redraw(paths?: boolean, axes?: boolean): void;
  destroy(): void;
}
