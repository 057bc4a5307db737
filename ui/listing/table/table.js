// A page of records as a real HTML table. Everything is known by the record's id, never by its position.
// data: {label, columns, rows, selectable, editing, cleared} and what ui/outbox adds
//   column: {id, label, align, sorted ("ascending" | "descending" | null), sortable, editor}
//   editor: {kind ("text" | "money" | "date" | "choice"), limit, choices: [[value, text]]}
//   row:    {id, version, name, cells: {column: {text, color, tone, value}}}
export default function (component) {
  return draw(component, (frame, outbox) => new Table(frame, outbox))
}

function make(tag, className, text) {
  const element = document.createElement(tag)
  if (className) element.className = className
  if (text !== undefined) element.textContent = text
  return element
}

class Table {
  constructor(frame, outbox) {
    this.outbox = outbox
    this.selected = new Set()
    this.rows = new Map() // id -> {element, drawn}: what is on screen, and from which data
    this.table = make('table')
    this.head = this.table.createTHead()
    this.body = this.table.createTBody()
    this.body.addEventListener('click', event => this.clicked(event))
    this.body.addEventListener('keydown', event => this.pressed(event))
    frame.replaceChildren(this.table)
  }

  leave() {} // everything it listens to leaves with it

  show(data) {
    this.outbox.hear(data.answered, (event, told) => versionAfter(event, told, data))
    this.data = data
    if (this.cleared !== data.cleared) this.selected.clear()
    this.cleared = data.cleared
    this.table.setAttribute('aria-label', data.label)
    this.drawHead()
    this.drawRows()
    this.drawSelection()
  }

  drawHead() {
    const focused = this.head.contains(this.focused) ? this.focused.dataset.column : null
    const row = make('tr')
    if (this.data.selectable) {
      const cell = make('th', 'check')
      this.all = make('input')
      this.all.type = 'checkbox'
      this.all.setAttribute('aria-label', 'Select every row of this page')
      this.all.onchange = () => this.select(this.data.rows.map(row => row.id), this.all.checked)
      cell.append(this.all)
      row.append(cell)
    }
    for (const column of this.data.columns) row.append(this.headCell(column))
    this.head.replaceChildren(row)
    if (focused) this.head.querySelector(`[data-column="${focused}"]`)?.focus()
  }

  headCell(column) {
    const cell = make('th', column.align)
    cell.scope = 'col'
    if (!column.sortable) {
      cell.textContent = column.label
      return cell
    }
    const sort = make('button', 'sort', column.label)
    sort.dataset.column = column.id
    sort.onclick = () => this.outbox.tell('sorted', { column: column.id })
    if (column.sorted) {
      cell.setAttribute('aria-sort', column.sorted)
      const arrow = make('span', 'arrow', column.sorted === 'ascending' ? '↑' : '↓')
      arrow.setAttribute('aria-hidden', 'true')
      sort.append(arrow)
    }
    cell.append(sort)
    return cell
  }

  drawRows() {
    const known = this.rows
    this.rows = new Map()
    let last = null
    for (const row of this.data.rows) {
      const shown = known.get(row.id) ?? { element: make('tr') }
      known.delete(row.id)
      this.rows.set(row.id, shown)
      this.drawRow(shown, row)
      const next = last ? last.nextSibling : this.body.firstChild
      if (next !== shown.element) this.body.insertBefore(shown.element, next)
      last = shown.element
    }
    for (const gone of known.values()) gone.element.remove()
  }

  drawRow(shown, row) {
    const drawn = JSON.stringify([row, this.data.columns, this.data.editing])
    if (shown.editor?.isConnected) {
      this.hearOfSent(shown)
      return // somebody is typing here
    }
    if (shown.sent > this.data.answered) return // it shows already what was typed
    if (shown.drawn === drawn && !shown.sent) return
    const { element } = shown
    const focused = element.contains(this.focused) ? this.focused.dataset.column : null
    Object.assign(shown, { row, drawn, editor: null, sent: 0 })
    element.dataset.id = row.id
    const cells = this.data.columns.map((column, position) => this.cell(shown, column, position === 0))
    if (this.data.selectable) cells.unshift(this.checkCell(row))
    element.replaceChildren(...cells)
    if (focused) element.querySelector(`button[data-column="${focused}"]`)?.focus()
  }

  // What is typed meanwhile rests on the version that an earlier cell of the row has made.
  hearOfSent(shown) {
    if (!shown.sent || shown.sent > this.data.answered) return
    const version = versionAfter('edited', shown.told, this.data)
    if (version !== undefined) shown.row = { ...shown.row, version }
    shown.sent = 0
  }

  checkCell(row) {
    const cell = make('td', 'check')
    const check = make('input')
    check.type = 'checkbox'
    check.setAttribute('aria-label', `Select ${row.name}`)
    check.onchange = () => this.select([row.id], check.checked)
    cell.append(check)
    return cell
  }

  cell(shown, column, isFirst) {
    const cell = make(isFirst ? 'th' : 'td', column.align)
    if (isFirst) cell.scope = 'row'
    cell.dataset.label = column.label
    const { text, color, tone } = shown.row.cells[column.id]
    const isEdited = this.data.editing && column.editor && !shown.row.cells[column.id].fixed
    let inside = make(isFirst || isEdited ? 'button' : 'span', 'text', text)
    if (isFirst) inside.classList.add('open')
    if (isEdited) inside.classList.add('edit')
    if (color) {
      inside.classList.add('badge')
      inside.style.setProperty('--badge', `var(--st-${color}-background-color)`)
      inside.style.setProperty('--badge-text', `var(--st-${color}-text-color)`)
    }
    if (tone) inside.classList.add(tone)
    inside.title = text
    inside.dir = 'auto' // names of any script are cut at their end
    inside.dataset.column = column.id
    if (isEdited) inside.setAttribute('aria-label', `${column.label}: ${text}. Edit`)
    cell.append(inside)
    return cell
  }

  // ------------------------------------------------------------------------------------------- opening

  clicked(event) {
    const element = event.target.closest('tr')
    if (!element || event.target.closest('input, select, .check')) return
    const edit = event.target.closest('.edit')
    if (edit) {
      this.edit(this.shownIn(element), edit)
      return
    }
    const isByMouse = event.detail > 0
    if (isByMouse && String(document.getSelection())) return // marking a text to copy it is no click
    this.outbox.tell('opened', { id: Number(element.dataset.id) })
  }

  pressed(event) {
    const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' }[event.key]
    const button = event.target.closest('button')
    if (!step || !button) return
    const row = button.closest('tr')[step]
    row?.querySelector(`button[data-column="${button.dataset.column}"]`)?.focus()
    event.preventDefault()
  }

  // ----------------------------------------------------------------------------------------- selecting

  select(ids, isSelected) {
    for (const id of ids) isSelected ? this.selected.add(id) : this.selected.delete(id)
    this.drawSelection()
    this.outbox.component.setStateValue('selected', { ids: [...this.selected], cleared: this.cleared })
  }

  drawSelection() {
    if (!this.data.selectable) return
    let count = 0
    for (const { element, row } of this.rows.values()) {
      const isSelected = this.selected.has(row.id)
      if (isSelected) count += 1
      element.classList.toggle('selected', isSelected)
      const check = element.querySelector('.check input')
      if (check) check.checked = isSelected
    }
    this.all.checked = count > 0 && count === this.rows.size
    this.all.indeterminate = count > 0 && count < this.rows.size
  }

  // ------------------------------------------------------------------------------------------- editing

  edit(shown, button) {
    const column = this.data.columns.find(column => column.id === button.dataset.column)
    const cell = shown.row.cells[column.id]
    const editor = this.editorOf(column.editor, cell.value ?? '', cell.text)
    const before = editor.value // as the field has it, which drops line breaks
    editor.className = 'editor'
    editor.setAttribute('aria-label', `${column.label} of ${shown.row.name}`)
    shown.editor = editor
    let isDone = false
    const finish = isKept => {
      if (isDone) return
      isDone = true
      const changed = isKept && editor.value !== before
      if (changed) {
        button.textContent = editor.selectedOptions?.[0]?.textContent ?? (editor.value || '–')
        button.classList.add('sent')
        const { id, version } = shown.row
        shown.told = { id, version, column: column.id, value: editor.value }
        shown.sent = this.outbox.tell('edited', shown.told)
      }
      editor.replaceWith(button)
      shown.editor = null
      if (!changed) this.drawRow(shown, this.data.rows.find(row => row.id === shown.row.id) ?? shown.row)
    }
    editor.onblur = () => finish(true)
    editor.onkeydown = event => {
      if (event.key !== 'Enter' && event.key !== 'Escape') return
      event.stopPropagation()
      event.preventDefault() // or Enter would press the button that gets the focus below
      finish(event.key === 'Enter')
      this.rows.get(shown.row.id)?.element.querySelector(`button[data-column="${column.id}"]`)?.focus()
    }
    button.replaceWith(editor)
    editor.focus()
    editor.select?.()
  }

  editorOf(editor, before, text) {
    if (editor.kind === 'choice') {
      const select = make('select')
      const isOffered = editor.choices.some(([value]) => value === before)
      for (const [value, label] of isOffered ? editor.choices : [[before, text], ...editor.choices]) {
        const option = make('option', '', label)
        option.value = value
        select.append(option)
      }
      select.value = before
      return select
    }
    const input = make('input')
    input.type = editor.kind === 'date' ? 'date' : 'text'
    if (editor.kind === 'money') input.inputMode = 'decimal'
    if (editor.limit) input.maxLength = editor.limit
    input.value = before
    return input
  }

  // --------------------------------------------------------------------------------------------- where

  shownIn(element) {
    return this.rows.get(Number(element.dataset.id))
  }

  get focused() {
    return this.table.getRootNode().activeElement
  }
}

// A row that shows what was typed has the version that this has made.
function versionAfter(event, told, data) {
  const row = data.rows.find(row => row.id === told.id)
  const cell = row?.cells[told.column]
  return cell && (cell.value ?? '') === told.value ? row.version : undefined
}
