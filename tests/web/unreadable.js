// What of a page cannot be read: wider than the window, cut off, outside of it, one label over another.
() => {
  const root = document.documentElement, found = [];
  const name = (one) => `${one.tagName.toLowerCase()}.${one.getAttribute('class') ?? ''} "${one.textContent.trim().slice(0, 60)}"`;
  if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} px wide in ${root.clientWidth}`);
  const scrolls = (one) => ['auto', 'scroll'].includes(getComputedStyle(one).overflowX);
  const isHidden = (one) => one.closest('.visually-hidden, .skip, [hidden], option, title, .defs') !== null;
  for (const one of document.querySelectorAll('body *')) {
    if (isHidden(one) || !one.getClientRects().length) continue;
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    let frame = one.parentElement;
    while (frame && !scrolls(frame)) frame = frame.parentElement;
    const isInFrame = frame && frame !== root && frame !== document.body;
    const hasText = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (hasText && !isInFrame && (box.right > root.clientWidth + 1 || box.left < -1)) found.push(`outside: ${name(one)}`);
    if (hasText && !one.ownerSVGElement && !scrolls(one) && style.overflowX !== 'visible'
        && one.scrollWidth > one.clientWidth + 1) found.push(`cut off: ${name(one)}`);
    if (['INPUT', 'SELECT', 'BUTTON'].includes(one.tagName) && one.scrollWidth > one.clientWidth + 1)
      found.push(`cut off: ${name(one)} ${one.name}`);
  }
  const labels = [...document.querySelectorAll('svg text')].filter((one) => one.getClientRects().length);
  for (const [place, one] of labels.entries()) {
    const box = one.getBoundingClientRect(), around = one.ownerSVGElement.getBoundingClientRect();
    if (box.right > around.right + 1 || box.left < around.left - 1) found.push(`outside of its drawing: ${name(one)}`);
    for (const other of labels.slice(place + 1)) {
      const its = other.getBoundingClientRect();
      if (other.ownerSVGElement === one.ownerSVGElement && box.left < its.right && its.left < box.right
          && box.top < its.bottom - 2 && its.top < box.bottom - 2) found.push(`one over another: ${name(one)} ${name(other)}`);
    }
  }
  return found;
}
