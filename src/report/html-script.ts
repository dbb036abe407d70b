/**
 * The page's script: sorts tables, filters superblocks, opens and closes them all, highlights the lines of one original instruction.
 * The page has the same content without JavaScript; the script makes its own controls, so no page has dead controls.
 */
export const SCRIPT = `'use strict';
for (const table of document.querySelectorAll('table.sortable')) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((cell, column) => {
    if (cell.classList.contains('spark')) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...cell.childNodes);
    cell.append(button);
    button.addEventListener('click', () => {
      const falling = cell.getAttribute('aria-sort') !== 'descending';
      for (const other of cell.parentNode.cells) other.removeAttribute('aria-sort');
      cell.setAttribute('aria-sort', falling ? 'descending' : 'ascending');
      const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent;
      const compare = (a, b) => {
        const x = key(a), y = key(b), n = Number(x) - Number(y);
        return Number.isNaN(n) ? (x < y ? -1 : x > y ? 1 : 0) : n;
      };
      body.append(...[...body.rows].sort((a, b) => (falling ? compare(b, a) : compare(a, b))));
    });
  });
}
const blocks = [...document.querySelectorAll('details.sb')];
const list = document.getElementById('superblock-list');
if (list && blocks.length > 1) {
  const tools = document.createElement('div');
  tools.className = 'tools';
  const filter = document.createElement('input');
  filter.type = 'search';
  filter.placeholder = 'Filter by function or address';
  filter.setAttribute('aria-label', 'Filter superblocks by function or address');
  filter.addEventListener('input', () => {
    const wanted = filter.value.trim().toLowerCase();
    for (const block of blocks) block.hidden = !block.firstElementChild.textContent.toLowerCase().includes(wanted);
  });
  const all = document.createElement('button');
  all.type = 'button';
  all.textContent = 'Open all';
  all.addEventListener('click', () => {
    const open = blocks.some((block) => !block.hidden && !block.open);
    for (const block of blocks) if (!block.hidden) block.open = open;
    all.textContent = open ? 'Close all' : 'Open all';
  });
  tools.append(filter, all);
  list.before(tools);
}
let lit = [];
document.addEventListener('pointerover', (event) => {
  const row = event.target.closest?.('tr[data-o]');
  for (const other of lit) other.classList.remove('on');
  lit = row ? [...row.closest('.side').querySelectorAll('tr[data-o="' + row.dataset.o + '"]')] : [];
  for (const other of lit) other.classList.add('on');
});
window.addEventListener('beforeprint', () => { for (const block of blocks.slice(0, 5)) block.open = true; });
`;
