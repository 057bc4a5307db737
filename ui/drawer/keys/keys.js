// Keys of a form in a dialog: Enter in a one-line field and Ctrl+Enter anywhere save; Escape lets go of the field before
// the dialog closes, so that what stands in it has been told to the server.
// data: {save: the key of the button that saves}
const listening = new WeakMap()

export default function (component) {
  const { parentElement, data } = component
  listening.get(parentElement)?.abort()
  const stop = new AbortController()
  listening.set(parentElement, stop)
  const host = parentElement.getRootNode().host ?? parentElement
  const dialog = host.closest('[role="dialog"]') ?? document.body
  if (document.activeElement === document.body) dialog.focus() // another record took the place of what had it
  const options = { capture: true, signal: stop.signal }
  dialog.addEventListener('keydown', event => saveOnEnter(event, dialog, data.save), options)
  document.addEventListener('keydown', event => letGoOnEscape(event, dialog), options)
  return () => parentElement.isConnected || listening.get(parentElement).abort() // else another drawing goes on
}

function saveOnEnter(event, dialog, key) {
  const isOneLine = event.target.matches('input:not([role="combobox"], [type="checkbox"], [type="radio"])')
  const isSearch = event.target.closest('[class*="st-key-"][class*="-find-"]') // it narrows what is offered
  const isCommand = event.ctrlKey || event.metaKey // Streamlit hears it in few of the fields
  if (event.key !== 'Enter' || event.isComposing || !(isCommand || isOneLine) || isSearch) return
  const button = dialog.querySelector(`.st-key-${CSS.escape(key)} button`)
  if (!button || event.target.closest('[data-testid="stPopoverBody"]')) return
  setTimeout(() => {
    button.focus() // which tells the server what stands in the field, and keeps Escape within the dialog
    button.click()
  })
}

function letGoOnEscape(event, dialog) {
  const field = document.activeElement
  if (event.key !== 'Escape' || !dialog.contains(field)) return
  if (field.matches('[role="combobox"][aria-expanded="true"]')) {
    event.stopImmediatePropagation() // it would empty the field, and what was chosen is gone
    event.preventDefault()
    field.blur()
    setTimeout(() => field.focus())
  } else if (field.matches('input:not([role="combobox"]), textarea')) field.blur()
}
