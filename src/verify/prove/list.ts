/** A list that shares its tail with others. */
export interface List<T> {
  readonly item: T;
  readonly rest: List<T> | undefined;
}

export function listed<T>(list: List<T> | undefined): T[] {
  const items: T[] = [];
  for (let at = list; at !== undefined; at = at.rest) items.push(at.item);
  return items;
}
