// Columns of cards that are dragged by mouse, pen and touch, and moved by keyboard. Everything is known by its id.
// data: {label, columns, cards} and what ui/outbox adds
//   column: {id, label, color, count, worth, note, more, folded, foldable, addable, actions}
//   action: {id, label}: what the menu of each card in the column offers
//   card:   {id, version, column, name, lines: [{text, tone}], signs: [{text, tone}], initials, owner}
// Events: moved {id, version, from, to, ids}, opened {id}, acted {id, version, action}, added, more and folded {column}.
const MOUSE_SLACK = 4 // pixels that a mouse may move and still click
const TOUCH_SLACK = 10
const LONG_PRESS = 220 // milliseconds; a shorter touch scrolls
const EDGE = 48 // pixels from an edge where dragging scrolls
const FASTEST = 16 // pixels a frame
const MOST_PLACED = 200 // cards of a column whose order is kept: see crm_core/services/board_service.py
const PATIENCE = 10_000 // milliseconds until a card whose move is not answered goes back

export default function (component) {
  return draw(component, (frame, outbox) => new Board(frame, outbox))
}

function make(tag, className, text) {
  const element = document.createElement(tag)
  if (className) element.className = className
  if (text !== undefined) element.textContent = text
  return element
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text
}

class Board {
  constructor(frame, outbox) {
    const root = make('div', 'board')
    root.setAttribute('role', 'group')
    this.said = make('div', 'said')
    this.said.setAttribute('role', 'status')
    this.said.setAttribute('aria-live', 'assertive')
    frame.append(root, this.said)
    this.root = root
    this.outbox = outbox
    this.columns = new Map() // id -> {section, list, ...}
    this.cards = new Map() // id -> {element, drawn}
    this.drag = null
    this.moves = [] // {number, id, to, name}: shown where they were dropped, and not answered yet
    this.outcome = null // of these, the last that was answered
    this.later = null // data that came during a drag, or before the answer to a move
    this.current = null // id of the card that Tab gets to
    this.frame = 0
    this.left = new AbortController()
    const { signal } = this.left
    const on = (type, listener, options) => root.addEventListener(type, listener, { ...options, signal })
    on('pointerdown', event => this.pressed(event))
    on('pointermove', event => this.pointed(event))
    on('pointerup', event => this.released(event))
    on('pointercancel', () => this.cancel())
    on('lostpointercapture', () => this.drag?.isOn && this.cancel())
    on('touchmove', event => this.drag?.isOn && event.preventDefault(), { passive: false })
    on('contextmenu', event => this.drag && event.preventDefault())
    on('keydown', event => this.typed(event))
    on('focusin', event => this.focused(event))
    const onKey = event => event.key === 'Escape' && this.drag?.isOn && this.cancelByKey(event)
    document.addEventListener('keydown', onKey, { capture: true, signal })
  }

  leave() {
    this.left.abort()
    clearTimeout(this.doubt)
    this.cancel()
    this.closeMenu()
  }

  // ------------------------------------------------------------------------------------------- drawing

  show(data) {
    this.outbox.hear(data.answered, (event, told) => versionAfter(event, told, data))
    this.outcome = this.moves.findLast(move => move.number <= data.answered) ?? this.outcome
    this.moves = this.moves.filter(move => move.number > data.answered)
    this.later = data
    this.catchUp()
  }

  // Nothing moves under somebody's hand, nor back from where it was dropped.
  catchUp() {
    if (!this.later || this.drag || this.moves.length) return
    clearTimeout(this.doubt)
    this.data = this.later
    this.later = null
    this.root.setAttribute('aria-label', this.data.label)
    this.drawColumns()
    this.drawCards()
    this.tellOutcome()
  }

  drawColumns() {
    const gone = new Set(this.columns.keys())
    let last = null
    for (const column of this.data.columns) {
      gone.delete(column.id)
      const shown = this.columns.get(column.id) ?? this.newColumn(column.id)
      this.drawColumn(shown, column)
      const next = last ? last.nextSibling : this.root.firstChild
      if (next !== shown.section) this.root.insertBefore(shown.section, next)
      last = shown.section
    }
    for (const id of gone) {
      this.columns.get(id).section.remove()
      this.columns.delete(id)
    }
  }

  newColumn(id) {
    const shown = { id, section: make('section', 'column'), list: make('ul', 'cards') }
    shown.head = make('header')
    shown.fold = make('button', 'fold')
    shown.badge = make('span', 'badge')
    shown.count = make('span', 'count')
    shown.fold.append(shown.badge, shown.count)
    shown.fold.onclick = () => this.send('folded', { column: id })
    shown.add = make('button', 'add', '+')
    shown.add.onclick = () => this.send('added', { column: id })
    shown.worth = make('strong', 'worth')
    shown.note = make('small', 'note')
    shown.head.append(shown.fold, shown.add, shown.worth, shown.note)
    shown.more = make('button', 'more')
    shown.more.onclick = () => this.send('more', { column: id })
    shown.list.dataset.column = id
    shown.list.setAttribute('role', 'list')
    shown.section.append(shown.head, shown.list, shown.more)
    this.columns.set(id, shown)
    return shown
  }

  drawColumn(shown, column) {
    shown.column = column
    shown.section.setAttribute('aria-label', `${column.label}, ${column.count}`)
    shown.section.classList.toggle('folded', Boolean(column.folded))
    write(shown.badge, column.label)
    shown.badge.style.setProperty('--badge', `var(--st-${column.color}-background-color)`)
    shown.badge.style.setProperty('--badge-text', `var(--st-${column.color}-text-color)`)
    write(shown.count, column.count)
    shown.fold.disabled = !column.foldable
    if (column.foldable) shown.fold.setAttribute('aria-expanded', String(!column.folded))
    shown.add.hidden = !column.addable || column.folded
    shown.add.setAttribute('aria-label', `New deal in ${column.label}`)
    shown.add.title = `New deal in ${column.label}`
    write(shown.worth, column.worth)
    write(shown.note, column.note ?? '')
    shown.more.hidden = !column.more || column.folded
    write(shown.more, column.more ?? '')
    shown.list.setAttribute('aria-label', `Deals in ${column.label}`)
  }

  drawCards() {
    const focused = this.idOf(this.root.getRootNode().activeElement)
    const known = this.cards
    this.cards = new Map()
    const tails = new Map()
    for (const card of this.data.cards) {
      const shown = known.get(card.id) ?? { element: make('li') }
      known.delete(card.id)
      this.cards.set(card.id, shown)
      this.drawCard(shown, card)
      const list = this.columns.get(card.column).list
      const tail = tails.get(list)
      const next = tail ? tail.nextSibling : list.firstChild
      if (next !== shown.element) list.insertBefore(shown.element, next)
      tails.set(list, shown.element)
    }
    for (const gone of known.values()) gone.element.remove()
    if (!this.cards.has(this.current)) this.current = this.data.cards[0]?.id ?? null
    this.rove(focused !== null && this.cards.has(focused) ? focused : this.current, focused !== null)
  }

  drawCard(shown, card) {
    const drawn = JSON.stringify(card)
    shown.element.classList.remove('saving', 'dragging')
    if (shown.drawn === drawn) return
    Object.assign(shown, { card, drawn })
    const { element } = shown
    element.className = 'card'
    element.dataset.id = card.id
    element.setAttribute('aria-roledescription', 'deal that can be moved')
    const parts = [make('div', 'name', card.name)]
    for (const line of card.lines) parts.push(make('div', `line ${line.tone ?? ''}`, line.text))
    for (const part of parts) part.dir = 'auto' // names of any script are cut at their end
    const foot = make('div', 'foot')
    for (const sign of card.signs) foot.append(make('span', `sign ${sign.tone ?? ''}`, sign.text))
    if (card.initials) {
      const owner = make('span', 'owner', card.initials)
      owner.title = card.owner
      owner.setAttribute('aria-label', `Owner: ${card.owner}`)
      foot.append(owner)
    }
    if (foot.childElementCount) parts.push(foot)
    const menu = make('button', 'menu', '⋯')
    menu.setAttribute('aria-label', `What to do with ${card.name}`)
    menu.setAttribute('aria-haspopup', 'menu')
    menu.onclick = () => this.openMenu(shown, menu)
    element.replaceChildren(menu, ...parts)
    element.title = card.name
  }

  // ----------------------------------------------------------------------------------------- telling

  send(event, told) {
    return this.outbox.tell(event, told)
  }

  say(text) {
    this.said.textContent = text
  }

  tellOutcome() {
    const { outcome } = this
    if (!outcome) return
    this.outcome = null
    const card = this.data.cards.find(card => card.id === outcome.id)
    const isThere = card ? card.column === outcome.to : this.columns.get(outcome.to)?.column.folded
    const place = this.columns.get(card?.column)?.column.label
    if (isThere) this.say(`${outcome.name} is in ${this.columns.get(outcome.to).column.label}.`)
    else if (card) this.say(`${outcome.name} was not moved. It is in ${place}.`)
    else this.say(`${outcome.name} is not among the cards that are shown.`)
  }

  doubtMoves() {
    const names = this.moves.map(move => move.name).join(', ')
    this.moves = []
    this.later ??= this.data
    this.catchUp()
    this.say(`There is no answer yet to what was done with ${names}. Until it comes, it stands where it was.`)
  }

  move(id, from, to, before) {
    const { card, element } = this.cards.get(id)
    const list = this.columns.get(to).list
    list.insertBefore(element, before)
    element.classList.add('saving')
    const ids = [...list.children].map(each => Number(each.dataset.id))
    clearTimeout(this.doubt)
    this.doubt = setTimeout(() => this.doubtMoves(), PATIENCE)
    this.say(`${card.name}: ${this.columns.get(to).column.label}, ${ids.indexOf(id) + 1} of ${ids.length}. Saving.`)
    const placed = ids.slice(0, MOST_PLACED)
    const number = this.send('moved', { id, version: card.version, from, to, ids: placed })
    this.moves.push({ number, id, to, name: card.name })
  }

  // ---------------------------------------------------------------------------------------- dragging

  pressed(event) {
    const element = event.target.closest('.card')
    if (!element || event.button !== 0 || event.target.closest('button') || this.drag) return
    const isTouch = event.pointerType === 'touch'
    const drag = { element, id: Number(element.dataset.id), pointer: event.pointerId, isTouch, isOn: false }
    Object.assign(drag, { startX: event.clientX, startY: event.clientY, x: event.clientX, y: event.clientY })
    this.drag = drag
    if (isTouch) drag.timer = setTimeout(() => this.drag === drag && this.begin(), LONG_PRESS)
  }

  pointed(event) {
    const { drag } = this
    if (!drag || event.pointerId !== drag.pointer) return
    drag.x = event.clientX
    drag.y = event.clientY
    if (!drag.isOn) {
      const far = Math.hypot(drag.x - drag.startX, drag.y - drag.startY)
      if (drag.isTouch) {
        if (far > TOUCH_SLACK) this.forget() // it scrolls
        return
      }
      if (far < MOUSE_SLACK) return
      this.begin()
    }
    this.frame ||= requestAnimationFrame(() => this.follow())
  }

  begin() {
    const { drag } = this
    const { element } = drag
    this.closeMenu()
    drag.isOn = true
    drag.from = element.parentElement
    drag.next = element.nextElementSibling
    const box = element.getBoundingClientRect()
    drag.dx = drag.startX - box.left
    drag.dy = drag.startY - box.top
    drag.ghost = element.cloneNode(true)
    drag.ghost.classList.add('ghost')
    drag.ghost.style.width = `${box.width}px`
    this.root.parentElement.append(drag.ghost)
    element.classList.add('dragging')
    this.root.classList.add('is-dragging')
    this.root.setPointerCapture(drag.pointer)
    drag.scroller = scrollerOf(this.root)
    this.follow()
  }

  follow() {
    this.frame = 0
    const { drag } = this
    if (!drag?.isOn) return
    drag.ghost.style.transform = `translate(${drag.x - drag.dx}px, ${drag.y - drag.dy}px)`
    const shown = this.columnAt(drag.x)
    if (shown !== drag.over) {
      drag.over?.section.classList.remove('over')
      shown?.section.classList.add('over')
      drag.over = shown
    }
    if (shown && !shown.column.folded) this.place(shown.list)
    if (this.scroll(shown)) this.frame ||= requestAnimationFrame(() => this.follow())
  }

  // Where columns and cards stand is measured once, and again after anything has moved.
  columnAt(x) {
    const { drag } = this
    drag.columns ??= [...this.columns.values()].map(shown => [shown, shown.section.getBoundingClientRect()])
    const found = drag.columns.find(([, box]) => x >= box.left && x < box.right)
    return found ? found[0] : null
  }

  place(list) {
    const { drag } = this
    if (drag.list !== list || !drag.middles) {
      drag.list = list
      const others = [...list.children].filter(card => card !== drag.element)
      const boxes = others.map(card => card.getBoundingClientRect())
      drag.middles = boxes.map((box, position) => [others[position], box.top + box.height / 2])
    }
    const before = drag.middles.find(([, middle]) => drag.y < middle)?.[0] ?? null
    const isThere = drag.element.parentElement === list && drag.element.nextElementSibling === before
    if (isThere) return
    list.insertBefore(drag.element, before)
    drag.middles = null
  }

  scroll(shown) {
    const { drag } = this
    let hasScrolled = false
    const push = (element, axis, at, box) => {
      if (!element) return
      const [low, high, size] = axis === 'scrollLeft' ? [box.left, box.right, 'Width'] : [box.top, box.bottom, 'Height']
      const pull = at < low + EDGE ? at - low - EDGE : at > high - EDGE ? at - high + EDGE : 0
      if (!pull || element[`scroll${size}`] <= element[`client${size}`]) return
      const before = element[axis]
      element[axis] += Math.max(-1, Math.min(1, pull / EDGE)) * FASTEST
      hasScrolled ||= element[axis] !== before
    }
    push(this.root, 'scrollLeft', drag.x, this.root.getBoundingClientRect())
    if (shown && !shown.column.folded) push(shown.list, 'scrollTop', drag.y, shown.list.getBoundingClientRect())
    push(drag.scroller, 'scrollTop', drag.y, { top: 0, bottom: window.innerHeight })
    if (hasScrolled) drag.columns = drag.middles = null
    return hasScrolled
  }

  released(event) {
    const { drag } = this
    if (!drag || event.pointerId !== drag.pointer) return
    if (!drag.isOn) {
      this.forget()
      if (event.target.closest('.card') === drag.element) this.send('opened', { id: drag.id })
      return
    }
    if (this.frame) cancelAnimationFrame(this.frame)
    this.follow()
    const to = drag.over?.column.id ?? drag.from.dataset.column
    const before = drag.over?.column.folded ? null : drag.element.nextElementSibling
    const isMoved = to !== drag.from.dataset.column || before !== drag.next
    this.end()
    if (isMoved) this.move(drag.id, drag.from.dataset.column, to, before)
    else drag.from.insertBefore(drag.element, drag.next)
    this.catchUp()
  }

  cancelByKey(event) {
    event.stopPropagation()
    event.preventDefault()
    const name = this.cards.get(this.drag.id).card.name
    this.cancel()
    this.say(`${name} stays where it was.`)
  }

  cancel() {
    const { drag } = this
    if (!drag) return
    if (!drag.isOn) return this.forget()
    this.end()
    drag.from.insertBefore(drag.element, drag.next?.isConnected ? drag.next : null)
    this.catchUp()
  }

  end() {
    const { drag } = this
    this.forget()
    drag.ghost.remove()
    drag.element.classList.remove('dragging')
    drag.over?.section.classList.remove('over')
    this.root.classList.remove('is-dragging')
    if (this.root.hasPointerCapture(drag.pointer)) this.root.releasePointerCapture(drag.pointer)
  }

  forget() {
    clearTimeout(this.drag?.timer)
    this.drag = null
    if (this.frame) cancelAnimationFrame(this.frame)
    this.frame = 0
  }

  // ---------------------------------------------------------------------------------------- keyboard

  typed(event) {
    const element = event.target.closest('.card')
    if (!element || event.target.closest('.menu, [role="menu"]')) return
    const id = Number(element.dataset.id)
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      this.send('opened', { id })
      return
    }
    const sideways = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
    const along = { ArrowUp: -1, ArrowDown: 1 }[event.key]
    if (!sideways && !along) return
    event.preventDefault()
    if (event.altKey) this.moveByKey(element, id, sideways, along)
    else this.moveFocus(element, sideways, along)
  }

  moveByKey(element, id, sideways, along) {
    const from = element.parentElement.dataset.column
    if (sideways) {
      const to = this.neighbour(from, sideways, () => true)
      if (to) this.move(id, from, to.id, to.list.firstElementChild)
    } else if (along < 0 && element.previousElementSibling) {
      this.move(id, from, from, element.previousElementSibling)
    } else if (along > 0 && element.nextElementSibling) {
      this.move(id, from, from, element.nextElementSibling.nextElementSibling)
    }
    this.rove(id, true)
  }

  moveFocus(element, sideways, along) {
    let next = along < 0 ? element.previousElementSibling : along > 0 ? element.nextElementSibling : null
    if (sideways) {
      const list = element.parentElement
      const position = [...list.children].indexOf(element)
      const to = this.neighbour(list.dataset.column, sideways, shown => shown.list.childElementCount > 0)
      next = to?.list.children[Math.min(position, to.list.childElementCount - 1)]
    }
    if (next) this.rove(Number(next.dataset.id), true)
  }

  neighbour(id, step, fits) {
    const shown = [...this.columns.values()]
    const order = this.data.columns.map(column => shown.find(each => each.id === column.id))
    let position = order.findIndex(each => each.id === id) + step
    while (order[position] && !fits(order[position])) position += step
    return order[position]
  }

  focused(event) {
    const id = this.idOf(event.target)
    if (id !== null) this.rove(id, false)
  }

  rove(id, hasFocus) {
    const before = this.cards.get(this.current)?.element
    if (before) this.setTab(before, -1)
    this.current = id
    for (const { element } of this.cards.values()) if (element.tabIndex !== -1) this.setTab(element, -1)
    const element = this.cards.get(id)?.element
    if (!element) return
    this.setTab(element, 0)
    if (hasFocus && this.root.getRootNode().activeElement !== element) element.focus()
  }

  setTab(element, index) {
    element.tabIndex = index
    const menu = element.querySelector('.menu')
    if (menu) menu.tabIndex = index
  }

  idOf(element) {
    const card = element?.closest?.('.card')
    return card && this.root.contains(card) ? Number(card.dataset.id) : null
  }

  // -------------------------------------------------------------------------------------------- menu

  openMenu(shown, button) {
    const isOpen = this.menu?.button === button
    this.closeMenu()
    if (isOpen) return
    const { card } = shown
    const { actions } = this.columns.get(card.column).column
    const list = make('div', 'choices')
    list.setAttribute('role', 'menu')
    list.setAttribute('aria-label', card.name)
    for (const action of actions) {
      const item = make('button', 'choice', action.label)
      item.setAttribute('role', 'menuitem')
      item.onclick = () => {
        this.closeMenu()
        button.focus()
        this.send('acted', { id: card.id, version: card.version, action: action.id })
      }
      list.append(item)
    }
    list.onkeydown = event => this.typedInMenu(event, button)
    const box = button.getBoundingClientRect()
    list.style.top = `${Math.min(box.bottom + 4, window.innerHeight - 40 * actions.length - 16)}px`
    list.style.right = `${Math.max(8, document.documentElement.clientWidth - box.right)}px`
    this.root.parentElement.append(list)
    this.menu = { list, button, closed: new AbortController() }
    const onOutside = event => !event.composedPath().includes(list) && this.closeMenu()
    document.addEventListener('pointerdown', onOutside, { capture: true, signal: this.menu.closed.signal })
    list.firstElementChild?.focus()
  }

  typedInMenu(event, button) {
    const items = [...this.menu.list.children]
    const at = items.indexOf(this.root.getRootNode().activeElement)
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (step) items[(at + step + items.length) % items.length].focus()
    else if (event.key === 'Escape' || event.key === 'Tab') {
      this.closeMenu()
      button.focus()
    } else return
    event.preventDefault()
    event.stopPropagation()
  }

  closeMenu() {
    if (!this.menu) return
    this.menu.closed.abort()
    this.menu.list.remove()
    this.menu = null
  }
}

// A card that stands where it was moved has the version that this has made.
function versionAfter(event, told, data) {
  const to = event === 'moved' ? told.to : told.action?.replace(/^move:/, '')
  const card = data.cards.find(card => card.id === told.id)
  return card?.column === to ? card.version : undefined
}

function scrollerOf(element) {
  for (let at = element; at; at = at.parentElement ?? at.getRootNode().host) {
    if (at !== element && at.scrollHeight > at.clientHeight && /auto|scroll/.test(getComputedStyle(at).overflowY)) return at
  }
  return document.scrollingElement
}
