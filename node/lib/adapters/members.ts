/**
 * Members of requests and responses, read and written in one place.
 *
 * Express changes the prototype of each request. After that, Node 20 has a hidden class for every one of them, and each
 * line that reads a member has to learn each class: 0.5 µs, 3 µs where the member is computed, and 6 µs to add one.
 * A line that has met many names does not learn any more, and looks the member up: 0.1 µs.
 */
export function member<Of extends object, Name extends keyof Of>(object: Of, name: Name): Of[Name] {
  return object[name];
}

/** Changes a member that is there. */
export function setMember<Of extends object, Name extends keyof Of>(object: Of, name: Name, value: Of[Name]): void {
  object[name] = value;
}
