// How long somebody waits at a screen: from a click, a key or a drop to the last paint of what it changed.
// It has to run before the page's own scripts, to see every shadow root (table and board are in one) and every message.
window.clock = (() => {
  const QUIET = 300 // milliseconds without a change, with no script running
  const PATIENCE = 120_000
  const regions = {}
  let began = null // when the click, key or drop was, as the browser stamped it
  let answered = null // when the server's last message came
  let bytes = 0
  let isArmed = false

  const restart = () => {
    answered = null
    bytes = 0
    for (const name of ['page', 'rows', 'drawer']) regions[name] = { changed: null, painted: null }
  }

  const parentOf = node => (node instanceof Element ? node : node.parentElement)
  const isInRows = ({ target }) => target.getRootNode() instanceof ShadowRoot && target.getRootNode().querySelector('.frame')
  const isInDrawer = ({ target, addedNodes }) =>
    parentOf(target)?.closest('[role="dialog"]') ||
    [...addedNodes].some(added => added instanceof Element && (added.matches('[role="dialog"]') || added.querySelector('[role="dialog"]')))

  const changed = (region, at) => {
    region.changed = at
    requestAnimationFrame(() => requestAnimationFrame(() => {
      if (region.changed === at) region.painted = performance.now()
    }))
  }

  const observer = new MutationObserver(changes => {
    if (began === null) return
    const at = performance.now()
    changed(regions.page, at)
    if (changes.some(isInRows)) changed(regions.rows, at)
    if (changes.some(isInDrawer)) changed(regions.drawer, at)
  })
  const observe = root => observer.observe(root, { childList: true, characterData: true, subtree: true })
  observe(document)

  const { attachShadow } = Element.prototype
  Element.prototype.attachShadow = function (options) {
    const root = attachShadow.call(this, options)
    observe(root)
    return root
  }

  window.WebSocket = class extends WebSocket {
    constructor(...asked) {
      super(...asked)
      this.addEventListener('message', ({ data }) => {
        answered = performance.now()
        bytes += data.byteLength ?? data.size ?? data.length
      })
    }
  }

  for (const kind of ['click', 'keydown', 'pointerup']) {
    window.addEventListener(kind, event => {
      if (!isArmed) return
      began = event.timeStamp // the last key, where a word is typed
      restart()
    }, { capture: true })
  }

  const isBusy = () =>
    document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState !== 'notRunning' ||
    document.querySelector('[data-testid="stSkeleton"]') !== null

  const frames = () => [...document.querySelectorAll('*')].map(element => element.shadowRoot?.querySelector('.frame'))
  const isShown = text => frames().some(frame => frame?.textContent.includes(text))

  return {
    arm() {
      isArmed = true
      began = null
      restart()
    },

    // Milliseconds to the last paint and to the last message, and the bytes of all of them.
    stop(name, text) {
      const givenUp = performance.now() + PATIENCE
      return new Promise((resolve, reject) => {
        const look = () => {
          const region = regions[name]
          const isStill = region.painted !== null && performance.now() - region.changed > QUIET && !isBusy()
          if (began !== null && isStill && (!text || isShown(text))) {
            isArmed = false
            resolve({ painted: region.painted - began, answered: (answered ?? began) - began, bytes })
          } else if (performance.now() > givenUp) {
            reject(new Error(`Nothing was painted in the ${name} that shows “${text}”.`))
          } else {
            setTimeout(look, 20)
          }
        }
        look()
      })
    },
  }
})()
