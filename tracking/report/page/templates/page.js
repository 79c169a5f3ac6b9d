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
