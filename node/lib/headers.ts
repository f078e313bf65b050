/** Headers in the form that the native half reads and writes: names and values in turn, one per line. */

export type HeaderLines = string;

export function pairs(lines: HeaderLines): [name: string, value: string][] {
  if (lines === '') return [];
  const parts = lines.split('\n');
  const list: [string, string][] = [];
  for (let at = 0; at + 1 < parts.length; at += 2) list.push([parts[at] as string, parts[at + 1] as string]);
  return list;
}

export function lines(headers: Iterable<[string, string]>): HeaderLines {
  let text = '';
  for (const [name, value] of headers) text += text ? `\n${name}\n${value}` : `${name}\n${value}`;
  return text;
}
