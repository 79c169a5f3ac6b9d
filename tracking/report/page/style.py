"""Style sheet and script of the page; nothing is fetched from anywhere."""

CSS = """
:root { --ink:#1c2430; --muted:#5d6775; --line:#e1e5eb; --soft:#f6f7f9;
  --accent:#2b6cb0; color-scheme: light; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin:0; background:#fff; color:var(--ink);
  font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif; }
main { max-width:1240px; margin:0 auto; padding:34px 28px 80px; }
h1 { font-size:28px; line-height:1.2; letter-spacing:-.015em; margin:0 0 4px; }
h2 { font-size:20px; letter-spacing:-.01em; margin:54px 0 6px;
  padding-top:18px; border-top:1px solid var(--line); }
h3 { font-size:15px; margin:26px 0 4px; }
p { margin:6px 0 12px; max-width:820px; }
.sub, .note { color:var(--muted); }
.note { font-size:13.5px; }
.answer { background:var(--soft); border-left:4px solid var(--accent); border-radius:0 8px 8px 0;
  padding:16px 22px; margin:22px 0 14px; }
.answer h2 { border:0; margin:0 0 6px; padding:0; font-size:14px; color:var(--muted); font-weight:600; }
.answer p { max-width:none; margin:0 0 8px; }
.answer p:first-of-type { font-size:18px; line-height:1.45; }
.counts { display:flex; gap:26px; flex-wrap:wrap; margin:18px 0 6px; }
.counts div { line-height:1.25; }
.counts b { display:block; font-size:21px; font-variant-numeric:tabular-nums; }
.counts span { color:var(--muted); font-size:12.5px; }
nav { font-size:13.5px; margin:16px 0 0; display:flex; flex-wrap:wrap; gap:4px 16px; }
a { color:var(--accent); text-decoration:none; } a:hover { text-decoration:underline; }
.scroll { overflow:auto; border:1px solid var(--line); border-radius:8px;
  margin:10px 0 16px; }
.scroll.long { max-height:900px; }
table { border-collapse:collapse; width:100%; font-size:13px; font-variant-numeric:tabular-nums; }
th { position:sticky; top:0; background:var(--soft); text-align:left; font-weight:600; vertical-align:bottom;
  cursor:pointer; user-select:none; z-index:1; box-shadow:inset 0 -1px var(--line); }
th, td { padding:6px 8px; }
td { vertical-align:top; border-top:1px solid #eef0f3; white-space:nowrap; }
th.n, td.n { text-align:right; }
td small { color:var(--muted); }
td.n small { display:block; font-size:11.5px; line-height:1.25; }
tr.best td { background:#eef5fc; }
tbody tr:hover td { background:#f6f9fc; }
.tag { display:inline-block; border-radius:9px; padding:0 8px; font-size:12px;
  background:#eceff3; color:#4a5361; }
.tag.yes { background:#dcefe5; color:#17633f; }
.tag.no { background:#f8e9d7; color:#8a4b0f; }
figure { margin:10px 0 20px; }
figcaption { color:var(--muted); font-size:13.5px; max-width:820px; }
.chart { width:100%; }
.grids { display:grid; grid-template-columns:repeat(auto-fit,minmax(320px,1fr)); gap:22px; margin:12px 0; }
.grids img { width:100%; image-rendering:pixelated; border:1px solid var(--line); border-radius:6px;
  background:#000; }
ul { max-width:860px; padding-left:20px; } li { margin:5px 0; }
footer { margin-top:60px; color:var(--muted); font-size:13px; }
"""

SCRIPT = """
document.querySelectorAll('script[data-chart]').forEach(function (source) {
  var figure = JSON.parse(source.textContent);
  Plotly.newPlot(source.previousElementSibling, figure.data, figure.layout,
    {responsive: true, displaylogo: false,
      modeBarButtonsToRemove: ['lasso2d', 'select2d', 'autoScale2d', 'sendChartToCloud',
      'sendDataToCloud', 'editInChartStudio'], showSendToCloud: false, plotlyServerURL: ''});
});
document.querySelectorAll('nav a').forEach(function (link) {
  // the address of an iframe need not resolve anchors
  link.addEventListener('click', function (event) {
    event.preventDefault();
    document.getElementById(link.getAttribute('href').slice(1)).scrollIntoView();
  });
});
document.querySelectorAll('th').forEach(function (head) {
  head.addEventListener('click', function () {
    var body = head.closest('table').tBodies[0], column = head.cellIndex, up = head.dataset.up !== 'yes';
    function value(row) {
      var cell = row.cells[column], sort = cell.dataset.sort;
      return sort === undefined ? cell.textContent : sort === '' ? Infinity : Number(sort);
    }
    var rows = Array.prototype.slice.call(body.rows).sort(function (a, b) {
      var x = value(a), y = value(b);
      return (x < y ? -1 : x > y ? 1 : 0) * (up ? 1 : -1);
    });
    head.dataset.up = up ? 'yes' : 'no';
    rows.forEach(function (row) { body.appendChild(row); });
  });
});
"""
