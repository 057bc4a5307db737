// Visible texts whose contrast is under WCAG AA: 4.5, or 3 for large text and for icons. Disabled controls and
// placeholders may be faint. Shadow roots are looked into.
(() => {
  const pixel = document.createElement('canvas').getContext('2d', { willReadFrequently: true })
  const known = new Map()

  function read(color) { // any CSS colour as [red, green, blue, alpha]
    if (!known.has(color)) {
      pixel.clearRect(0, 0, 1, 1)
      pixel.fillStyle = color
      pixel.fillRect(0, 0, 1, 1)
      const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data
      known.set(color, [red, green, blue, alpha / 255])
    }
    return known.get(color)
  }

  const over = (front, back, alpha) => front.map((part, i) => part * alpha + back[i] * (1 - alpha))
  const parent = element => element.assignedSlot ?? element.parentElement ?? element.getRootNode().host ?? null

  function backdrop(element) { // what shines through behind the element, as [red, green, blue]
    if (!element) return [255, 255, 255]
    const style = getComputedStyle(element)
    const [red, green, blue, alpha] = read(style.backgroundColor)
    if (alpha === 1) return [red, green, blue]
    return over([red, green, blue], backdrop(parent(element)), alpha)
  }

  function luminance(color) {
    const [red, green, blue] = color.map(part => {
      const share = part / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }

  function contrast(one, other) {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b)
    return (light + 0.05) / (dark + 0.05)
  }

  function opacity(element) {
    let all = 1
    for (let each = element; each; each = parent(each)) all *= Number(getComputedStyle(each).opacity)
    return all
  }

  function isSeen(element, text) {
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false
    const range = document.createRange()
    range.selectNodeContents(text)
    const { width, height } = range.getBoundingClientRect()
    if (width < 2 || height < 2) return false
    for (let each = element; each; each = parent(each)) {
      if (each.matches(':disabled, [aria-disabled="true"], [data-baseweb] [id*="placeholder"]')) return false
      if (/placeholder/i.test(`${each.dataset?.testid ?? ''} ${each.getAttribute('data-slot') ?? ''}`)) return false
      const style = getComputedStyle(each)
      if (style.clipPath === 'inset(50%)' || style.clip === 'rect(0px, 0px, 0px, 0px)') return false
    }
    return true
  }

  const found = []
  function look(root) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.shadowRoot) look(node.shadowRoot)
      if (node.nodeType !== Node.TEXT_NODE || !/[\p{L}\p{N}]/u.test(node.data)) continue // nor the “…” between pages
      const element = node.parentElement ?? root.host
      if (!element || element.matches('style, script, noscript, option') || !isSeen(element, node)) continue
      const style = getComputedStyle(element)
      const back = backdrop(element)
      const color = element instanceof SVGElement ? style.fill : style.color
      const [red, green, blue, alpha] = read(color)
      const front = over([red, green, blue], back, alpha * opacity(element))
      const size = parseFloat(style.fontSize)
      const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700)
      const isIcon = /material/i.test(style.fontFamily)
      const ratio = contrast(front, back)
      if (ratio < (isLarge || isIcon ? 3 : 4.5)) {
        found.push({
          text: node.data.trim().slice(0, 40),
          ratio: Math.round(ratio * 100) / 100,
          color: `${color} at ${Math.round(opacity(element) * 100)} %`,
          on: `rgb(${back.map(Math.round).join(', ')})`,
          where: `${element.tagName.toLowerCase()}.${element.getAttribute('class')}`,
        })
      }
    }
  }
  look(document.body)
  return found
})()
