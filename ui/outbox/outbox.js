// What the scripts of components that tell something begin with: see ui/outbox/__init__.py.
// data: {key, session, drawing, answered}
//   session, drawing: the drawings of a session are counted; one that shows the same as the last has its number
//   answered: the number of the last event that was done, as far as the data tells of it

// While a script is being loaded, several drawings wait for it, and a browser goes on with them in any order. Streamlit
// then cleans up after those that are no longer the last. So an older drawing is passed over, whenever it comes, and
// what is shown leaves with its element and not before.
const drawn = new WeakMap() // parent element -> {view, frame, session, drawing}: what is shown in it

function draw(component, create) {
  const { parentElement, data } = component
  const frame = parentElement.querySelector('.frame')
  let shown = drawn.get(parentElement)
  if (shown?.frame !== frame) {
    shown?.view.leave()
    frame.replaceChildren()
    shown = { frame, view: create(frame, Outbox.of(data.key)) }
    drawn.set(parentElement, shown)
  }
  const { view } = shown
  if (shown.session !== data.session || shown.drawing <= data.drawing) {
    Object.assign(shown, { session: data.session, drawing: data.drawing })
    view.outbox.component = component
    view.show(data)
  }
  return () => {
    if (parentElement.isConnected) return
    view.leave()
    view.outbox.rest(component)
    drawn.delete(parentElement)
  }
}

// Events are told in their order, and again until they are answered. One that rests on a version of a record waits for
// the answer to an earlier one about the same record, which makes another version of it.
const AGAIN = 3000 // milliseconds; then twice as many, and so on
const SELDOM = 48_000
const AT_ONCE = 20 // events; the rest is told when some of these are answered

class Outbox {
  static of(key) {
    const all = (globalThis.outboxes ??= new Map()) // what waits outlives an element that is replaced
    if (!all.has(key)) all.set(key, new Outbox())
    return all.get(key)
  }

  constructor() {
    this.waiting = [] // {number, event, value}
    this.last = 0
    this.patience = AGAIN
  }

  tell(event, value) {
    this.last += 1
    this.waiting.push({ number: this.last, event, value })
    this.send()
    return this.last
  }

  // `versionAfter` tells which version an event that was done has made, or nothing if it was not done as it was meant.
  hear(answered, versionAfter = () => undefined) {
    this.last = Math.max(this.last, answered)
    const done = this.waiting.filter(each => each.number <= answered)
    if (!done.length) return
    this.waiting = this.waiting.filter(each => each.number > answered)
    for (const { event, value } of done) {
      const version = value.version === undefined ? undefined : versionAfter(event, value)
      if (version === undefined) continue
      for (const later of this.waiting) if (later.value.id === value.id) later.value.version = version
    }
    this.goOn()
  }

  // Told beside the data, so of no use to what waits for another version.
  hearOf(answered) {
    const before = this.waiting.length
    this.waiting = this.waiting.filter(({ number, value }) => number > answered || value.version !== undefined)
    if (!this.waiting.length) clearTimeout(this.again)
    else if (this.waiting.length < before) this.goOn()
  }

  goOn() {
    this.patience = AGAIN
    this.send()
  }

  send() {
    clearTimeout(this.again)
    if (!this.waiting.length) return
    this.component.setTriggerValue('told', this.ready())
    this.again = setTimeout(() => this.send(), this.patience)
    this.patience = Math.min(2 * this.patience, SELDOM)
  }

  ready() {
    const records = new Set()
    const held = this.waiting.findIndex(({ value: { id, version } }) => {
      if (version === undefined) return false
      const isHeld = records.has(id)
      records.add(id)
      return isHeld
    })
    return this.waiting.slice(0, held < 0 ? AT_ONCE : Math.min(held, AT_ONCE))
  }

  rest(component) {
    if (this.component === component) clearTimeout(this.again)
  }
}

