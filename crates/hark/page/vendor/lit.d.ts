// What the page uses of lit.js, for the type checker only: this file is not served.
export const nothing: unique symbol;
export type Template = object | string | number | typeof nothing | null | undefined;
export function html(strings: TemplateStringsArray, ...values: unknown[]): object;
export function svg(strings: TemplateStringsArray, ...values: unknown[]): object;
export function render(value: unknown, container: HTMLElement): void;
export function repeat<T>(items: Iterable<T>, key: (item: T) => unknown, template: (item: T) => unknown): object;
export function live(value: unknown): object;
export function guard(dependencies: unknown[], make: () => unknown): object;
