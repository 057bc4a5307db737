// Tells what was done to whom it concerns: see ui/outbox/outbox.js.
// data: {key: the number of the last event that was done}
export default function ({ data }) {
  for (const [key, number] of Object.entries(data ?? {})) globalThis.outboxes?.get(key)?.hearOf(number)
}
