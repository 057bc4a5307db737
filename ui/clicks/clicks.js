// The second and the third of several clicks at one place belong to what the first one hit. Where something else is there
// by then, as when a popover has done its work and closed, they would press what lay behind it. A button in a dialog is
// pressed once: asked for a dialog that it is about to close, Streamlit can leave it standing with nothing in it working.
const MOST_BETWEEN = 500 // ms from one press to the next of the same nervous hand, until the browser tells its own count
const MOST_APART = 8 // px
const CONTROL = 'a, button, input, label, textarea, tr, [role="button"], [role="option"], [role="radio"], [tabindex]'
const ONCE = '[role="dialog"] :is([data-testid="stButton"], [data-testid="stFormSubmitButton"])'

let listening
let last = null // the press before: {x, y, time, isMouse}
let first = null // the control that the first of these clicks hit
let before = null // what was the first until the last press
let isLate = false

export default function () {
  listening?.abort()
  const mine = (listening = new AbortController())
  const options = { capture: true, signal: mine.signal }
  const listen = (kind, answer) => addEventListener(kind, event => event.isTrusted && answer(event), options)
  listen('pointerdown', event => press(event, isNext(event)))
  listen('pointermove', moveOn)
  listen('mousedown', event => (event.detail > 1 ? goOn(event) : begin(event)))
  for (const kind of ['pointerup', 'mouseup', 'click', 'dblclick']) listen(kind, event => isLate && swallow(event))
  for (const kind of ['keydown', 'input']) addEventListener(kind, forget, options)
  return () => mine.abort()
}

// Who has written something since is not pressing for the second time.
function forget() {
  last = null
  isLate = false
}

// Nor is who has been elsewhere meanwhile, as with something that was dragged.
function moveOn(event) {
  if (last && isApart(event)) last = null
}

function isApart({ clientX, clientY }) {
  return Math.hypot(clientX - last.x, clientY - last.y) >= MOST_APART
}

function isNext(event) {
  const { clientX: x, clientY: y, timeStamp: time } = event
  const isNext = last && time - last.time < MOST_BETWEEN && !isApart(event)
  last = { x, y, time, isMouse: event.pointerType === 'mouse' }
  return isNext
}

function press(event, isNext) {
  before = first
  if (!isNext) first = controlOf(event)
  isLate = isNext && isDone(event)
  if (isLate) swallow(event)
}

// The browser counts this press as a first one; of fingers it does not count.
function begin(event) {
  if (isLate && !last?.isMouse) return swallow(event)
  first = controlOf(event)
  isLate = false
}

// The browser counts this press as the second or third, however slowly it has come through.
function goOn(event) {
  first = before
  isLate = isDone(event)
  if (isLate) swallow(event)
}

function isDone(event) {
  return first !== controlOf(event) || Boolean(first.closest?.(ONCE))
}

function controlOf(event) {
  const hit = event.composedPath()[0]
  return hit.closest?.(CONTROL) ?? hit
}

function swallow(event) {
  event.stopImmediatePropagation()
  event.preventDefault()
}
